/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * inject_code.c - the program of inject.h, position independent, as data.
 *
 * rbx: calls, r12: their number, r13: flag (0: none).  All signals are blocked first:
 * the engine may have died before it blocked them.  While the flags are popped the
 * stack pointer is at read-only data: no signal may come then.  After that popfq
 * nothing changes the flags: mov and lea do not, and a system call gives them back. */

/* clang-format off */
__asm__(
    ".section .rodata\n"
    ".globl inject_code, inject_entry, inject_slots, inject_code_end\n"
    ".balign 16\n"
    "inject_code:\n"
    ".quad 0x31304a4e49435342\n" /* "BSCINJ01": how the next engine finds it */
    "inject_entry:\n"
    "mov $14, %eax\n" /* rt_sigprocmask(SIG_SETMASK, all) */
    "mov $2, %edi\n"
    "lea .Lall(%rip), %rsi\n"
    "xor %edx, %edx\n"
    "mov $8, %r10d\n"
    "syscall\n"
    "test %r12, %r12\n"
    "jz 3f\n"
    "1: mov (%rbx), %rax\n"
    "mov 8(%rbx), %rdi\n"
    "mov 16(%rbx), %rsi\n"
    "mov 24(%rbx), %rdx\n"
    "mov 32(%rbx), %r10\n"
    "mov 40(%rbx), %r8\n"
    "mov 48(%rbx), %r9\n"
    "syscall\n"
    "mov 56(%rbx), %rcx\n"
    "test %rcx, %rcx\n"
    "jz 2f\n"
    "mov %rax, (%rcx)\n"
    "2: add $64, %rbx\n"
    "dec %r12\n"
    "jnz 1b\n"
    "3: test %r13, %r13\n"
    "jz 4f\n"
    "movq $1, (%r13)\n"
    "4: mov $128, %eax\n" /* rt_sigtimedwait(none, NULL, limit) */
    "lea .Lnone(%rip), %rdi\n"
    "xor %esi, %esi\n"
    "lea .Llimit(%rip), %rdx\n"
    "mov $8, %r10d\n"
    "syscall\n"
    "lea .Lsaved_flags(%rip), %rsp\n" /* nobody took over: heal */
    "popfq\n"
    "mov .Lsaved_rsp(%rip), %rsp\n"
    "mov $14, %eax\n" /* rt_sigprocmask(SIG_SETMASK, saved) */
    "mov $2, %edi\n"
    "lea .Lsaved_mask(%rip), %rsi\n"
    "mov $0, %edx\n"
    "mov $8, %r10d\n"
    "syscall\n"
    "mov .Lsaved_rax(%rip), %rax\n"
    "mov .Lsaved_rbx(%rip), %rbx\n"
    "mov .Lsaved_rcx(%rip), %rcx\n"
    "mov .Lsaved_rdx(%rip), %rdx\n"
    "mov .Lsaved_rsi(%rip), %rsi\n"
    "mov .Lsaved_rdi(%rip), %rdi\n"
    "mov .Lsaved_rbp(%rip), %rbp\n"
    "mov .Lsaved_r8(%rip), %r8\n"
    "mov .Lsaved_r9(%rip), %r9\n"
    "mov .Lsaved_r10(%rip), %r10\n"
    "mov .Lsaved_r11(%rip), %r11\n"
    "mov .Lsaved_r12(%rip), %r12\n"
    "mov .Lsaved_r13(%rip), %r13\n"
    "mov .Lsaved_r14(%rip), %r14\n"
    "mov .Lsaved_r15(%rip), %r15\n"
    "jmp *.Lsaved_rip(%rip)\n"
    ".balign 8\n"
    ".Lall: .quad -1\n"
    ".Lnone: .quad 0\n"
    ".Llimit: .quad 0, 200000000\n"
    "inject_slots:\n" /* struct slots in inject.c */
    ".Lsaved_flags: .quad 0\n"
    ".Lsaved_rsp: .quad 0\n"
    ".Lsaved_mask: .quad 0\n"
    ".Lsaved_rip: .quad 0\n"
    ".Lsaved_rax: .quad 0\n"
    ".Lsaved_rbx: .quad 0\n"
    ".Lsaved_rcx: .quad 0\n"
    ".Lsaved_rdx: .quad 0\n"
    ".Lsaved_rsi: .quad 0\n"
    ".Lsaved_rdi: .quad 0\n"
    ".Lsaved_rbp: .quad 0\n"
    ".Lsaved_r8: .quad 0\n"
    ".Lsaved_r9: .quad 0\n"
    ".Lsaved_r10: .quad 0\n"
    ".Lsaved_r11: .quad 0\n"
    ".Lsaved_r12: .quad 0\n"
    ".Lsaved_r13: .quad 0\n"
    ".Lsaved_r14: .quad 0\n"
    ".Lsaved_r15: .quad 0\n"
    ".fill 8, 8, 0\n" /* the call that maps the scratch memory */
    "inject_code_end:\n"
    ".text\n");
/* clang-format on */
