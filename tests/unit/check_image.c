/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_image.c - what the image codec promises: nothing is lost, nothing broken is
 * taken, differences apply to what they were made from. */
#include "tests/unit/sample_image.h"

#include "sockmig/image_alloc.h"
#include "tests/suite.h"

#include <stdlib.h>

#define CAP (1u << 20)

static struct image im, back;
static uint8_t text[CAP], text2[CAP], delta[CAP];
static size_t size;
static const char *why;

static void
setup(void)
{
    ck_assert_int_eq(image_alloc(&im), 0);
    ck_assert_int_eq(image_alloc(&back), 0);
    sample_image(&im);
    size = image_encode(&im, text, sizeof text);
    ck_assert_uint_gt(size, 0);
}

static void
teardown(void)
{
    image_release(&im);
    image_release(&back);
}

START_TEST(round_trip)
{
    ck_assert_msg(image_decode(&back, text, size, &why), "%s", why);
    ck_assert_uint_eq(image_encode(&back, text2, sizeof text2), size);
    ck_assert_mem_eq(text, text2, size);
    ck_assert_int_eq(back.threads[2].xstate[101], 0x42);
    ck_assert_ptr_eq(image_tcp_find(&back, 9), &back.tcps[1]);
    ck_assert_ptr_null(image_tcp_find(&back, 8));
    ck_assert_ptr_eq(image_fd_find(&back, 12), &back.fds[8]);
    ck_assert_ptr_null(image_fd_find(&back, 2));
}
END_TEST

START_TEST(truncation)
{
    for (size_t n = 0; n < size; n++)
        ck_assert_msg(!image_decode(&back, text, n, &why), "%zu bytes are taken", n);
    ck_assert_msg(!image_decode(&back, text, size + 1, &why), "a byte more is taken");
}
END_TEST

START_TEST(no_room)
{
    for (size_t n = 0; n < size; n += 61)
        ck_assert_uint_eq(image_encode(&im, text2, n), 0);
}
END_TEST

/* A flipped bit is refused, or the image taken keeps all invariants. */
START_TEST(bit_flips)
{
    for (size_t bit = 0; bit < size * 8; bit++) {
        text[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (image_decode(&back, text, size, &why))
            ck_assert_ptr_null(image_check(&back));
        text[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

static struct broken {
    const char *claim;
    void (*breaking)(void);
} broken[];

/* clang-format off */
static void no_pid(void) { im.process.pid = 0; }
static void long_exe(void) { memset(im.process.exe, 'x', sizeof im.process.exe); }
static void long_cgroup(void) { memset(im.process.cgroup, '/', sizeof im.process.cgroup); }
static void no_root(void) { im.process.root[0] = 'x'; }
static void many_groups(void) { im.process.ngroups = IMAGE_GROUPS + 1; }
static void no_threads(void) { im.nthreads = 0; }
static void twin_threads(void) { im.threads[2].tid = 8; }
static void no_leader(void) { im.threads[0].tid = 99; }
static void long_xstate(void) { im.threads[1].nsignals = 17; }
static void vma_overlap(void) { im.vmas[1].start -= 4096; }
static void vma_order(void) { struct image_vma v = im.vmas[0]; im.vmas[0] = im.vmas[1]; im.vmas[1] = v; }
static void vma_empty(void) { im.vmas[1].end = im.vmas[1].start; }
static void vma_kind(void) { im.vmas[0].kind = IMAGE_VMA_NKINDS; }
static void vma_odd(void) { im.vmas[1].end++; }
static void vma_path(void) { memset(im.vmas[0].path, 'x', IMAGE_PATH); }
static void fd_order(void) { im.fds[2].fd = 1; }
static void fd_kind(void) { im.fds[2].kind = IMAGE_FD_NKINDS; }
static void fd_dup_later(void) { im.fds[0].dup_of = 1; }
static void fd_dup_none(void) { im.fds[1].dup_of = 0; im.fds[0].fd = -5; }
static void fd_dup_kind(void) { im.fds[8].dup_of = 6; }
static void fd_path(void) { memset(im.fds[0].u.file.path, 'x', IMAGE_PATH); }
static void fd_pipe(void) { im.fds[3].u.pipe.queued = 65537; }
static void pty_index(void) { im.fds[13].u.pty.index = IMAGE_PTY_INDEX; }
static void pty_queue(void) { im.fds[12].u.pty.input = IMAGE_PTY_QUEUE + 1; }
static void pty_mode(void) { im.fds[12].u.pty.mode = 010000; }
static void pty_packet(void) { im.fds[12].u.pty.packet = 2; }
static void pty_session(void) { im.fds[12].u.pty.session = -1; }
static void set_empty(void) { im.sets[0].n = 0; }
static void set_order(void) { im.sets[1].id = 3; }
static void set_mode(void) { im.sets[1].mode = 01000; }
static void semaphore_value(void) { im.semaphores[2].value = 32768; }
static void semaphore_undo(void) { im.semaphores[2].undo = 20000; }
static void semaphore_lost(void) { im.nsemaphores = 2; }
static void queue_id(void) { im.queues[0].id = -1; }
static void queue_size(void) { im.queues[0].size = IMAGE_QUEUE_MAX + 8; }
static void flight_kind(void) { im.fds[15].kind = IMAGE_FD_NETLINK; }
static void flight_owner(void) { im.fds[15].owner = 1; }
static void flight_watched(void) { im.items[0].fd = IMAGE_IN_FLIGHT; }
static void flight_locked(void) { im.locks[0].fd = IMAGE_IN_FLIGHT; }
static void flight_high(void) { im.fds[16].fd = IMAGE_MAX_NUMBER; }
static void fifo_path(void) { im.fds[14].u.fifo.path[0] = 0; }
static void fifo_queue(void) { im.fds[14].u.fifo.queued = 1; }
static void fifo_hung(void) { im.fds[14].u.fifo.hung = 2; }
static void filter_empty(void) { im.filters[0].length = 0; im.ncode = 3; }
static void filter_code(void) { im.ncode--; }
static void filter_flag(void) { im.filters[0].log = 2; }
static void segment_missing(void) { im.nsegments = 0; }
static void segment_id(void) { im.segments[0].id = 5; }
static void segment_both(void) { im.segments[0].path[0] = '/'; }
static void segment_path(void) { memset(im.segments[1].path, 'x', IMAGE_PATH); }
static void segment_gone(void) { im.segments[0].gone = 2; }
static void fd_owner(void) { im.fds[3].owner_type = 3; }
static void fd_signal(void) { im.fds[3].owner_signal = 65; }
static void group_kind(void) { im.groups[0].fd = 4; }
static void unaccepted_fd(void) { im.unaccepted[0].fd = 7; }
static void dead_error(void) { im.fds[7].kind = IMAGE_FD_TCP_DEAD; im.fds[7].u.dead.error = 4096; im.ntcps = 1; im.fds[8].kind = IMAGE_FD_TCP_DEAD; }
static void group_device(void) { memset(im.groups[0].device, 'x', 16); }
static void fd_address(void) { im.fds[5].u.listen.address_len = 29; }
static void item_set(void) { im.items[0].epfd = 4; }
static void later_item_set(void) { im.items[1].epfd = 4; }
static void item_fd(void) { im.items[0].fd = 77; }
static void tcp_missing(void) { im.ntcps--; }
static void tcp_closed(void) { im.tcps[0].fd = 8; }
static void tcp_kind(void) { im.tcps[0].fd = 6; }
static void tcp_order(void) { im.tcps[1].fd = 7; }
static void tcp_state(void) { im.tcps[0].state = 12; }
static void tcp_unsent(void) { im.tcps[0].unsent = 11; }
static void timer_notify(void) { im.timers[0].notify = 2; }
static void child_pid(void) { im.children[0].pid = 0; }
static void thread_nice(void) { im.threads[1].schedule.nice = 20; }
static void thread_policy(void) { im.threads[1].schedule.policy = 6; }
static void securebits(void) { im.process.securebits = 0x100; }
static void unix_missing(void) { im.nunixes--; }
static void unix_kind(void) { im.unixes[0].fd = 13; }
static void unix_type(void) { im.unixes[0].type = 3; }
static void unix_peer(void) { im.unixes[0].peer = 4711; }
static void unix_name(void) { im.unixes[0].local_len = IMAGE_UNIX_NAME + 1; }
static void unix_path(void) { memset(im.unixes[0].path, 'x', IMAGE_PATH); }
static void lock_file(void) { im.locks[0].fd = 3; }
static void lock_kind(void) { im.locks[0].kind = IMAGE_LOCK_NKINDS; }
static void lock_end(void) { im.locks[0].start = 9; im.locks[0].end = 8; }
static void file_deleted(void) { im.fds[0].u.file.deleted = 2; }
static void vma_held(void) { im.vmas[1].kind = IMAGE_VMA_HELD; im.vmas[1].inode = 4711; }
static void vma_huge_size(void) { im.vmas[1].page_bits = 13; }
static void vma_huge_place(void) { im.vmas[1].page_bits = 30; }
static void watch_fd(void) { im.watches[0].fd = 3; }
static void watch_number(void) { im.watches[0].wd = 0; }
static void watch_path(void) { im.watches[0].path[0] = 'x'; }

static struct broken broken[] = {
    { "a process has a pid", no_pid },
    { "a root folder is absolute", no_root },
    { "a nice value is one", thread_nice },
    { "deadline scheduling is refused", thread_policy },
    { "securebits fit", securebits },
    { "a unix descriptor has a socket", unix_missing },
    { "a unix socket has a descriptor", unix_kind },
    { "a unix socket's type is known", unix_type },
    { "a unix socket's other end is there", unix_peer },
    { "a unix socket's name fits", unix_name },
    { "the path of a unix socket's file ends", unix_path },
    { "a lock is on an open file", lock_file },
    { "a lock's kind is known", lock_kind },
    { "a lock ends behind its beginning", lock_end },
    { "a file is deleted or not", file_deleted },
    { "a held mapping has a descriptor", vma_held },
    { "huge pages are of a size that there is", vma_huge_size },
    { "huge pages lie at multiples of it", vma_huge_place },
    { "a watch has an inotify instance", watch_fd },
    { "a watch has a number", watch_number },
    { "a watch has a path", watch_path },
    { "the program's path ends", long_exe },
    { "the control group's path ends", long_cgroup },
    { "groups fit", many_groups },
    { "there is a thread", no_threads },
    { "a thread is there once", twin_threads },
    { "the leader comes first", no_leader },
    { "a thread's signals fit", long_xstate },
    { "mappings do not overlap", vma_overlap },
    { "mappings are sorted", vma_order },
    { "mappings are not empty", vma_empty },
    { "mappings have a known kind", vma_kind },
    { "mappings are whole pages", vma_odd },
    { "a mapping's path ends", vma_path },
    { "descriptors are sorted", fd_order },
    { "descriptors have a known kind", fd_kind },
    { "a duplicate is of a lower descriptor", fd_dup_later },
    { "a duplicate is of one that exists", fd_dup_none },
    { "a duplicate is of the same kind", fd_dup_kind },
    { "a descriptor's path ends", fd_path },
    { "a pipe holds no more than it can", fd_pipe },
    { "the owner of signals is of a known type", fd_owner },
    { "the signal of a descriptor is one", fd_signal },
    { "a multicast group has a UDP socket", group_kind },
    { "the device of a multicast group is a name", group_device },
    { "what was not accepted has a listener", unaccepted_fd },
    { "the error of a closed connection is one", dead_error },
    { "mapped shared memory is there", segment_missing },
    { "the id of shared memory is its own", segment_id },
    { "shared memory has an id or a path", segment_both },
    { "the path of shared memory is one", segment_path },
    { "shared memory is to be destroyed or not", segment_gone },
    { "a filter has instructions", filter_empty },
    { "no instruction of a filter is missing", filter_code },
    { "a filter's flag is one", filter_flag },
    { "a terminal's number is one", pty_index },
    { "a terminal holds no more than it can", pty_queue },
    { "a terminal's mode is one", pty_mode },
    { "packet mode is on or off", pty_packet },
    { "a terminal's session is one", pty_session },
    { "a set has semaphores", set_empty },
    { "sets are in order", set_order },
    { "a set's mode is one", set_mode },
    { "a semaphore's value is one", semaphore_value },
    { "what is undone is in range", semaphore_undo },
    { "each semaphore is of a set", semaphore_lost },
    { "a message queue's id is one", queue_id },
    { "a message queue has a limit", queue_size },
    { "in flight are only some kinds", flight_kind },
    { "nobody gets signals of what is in flight", flight_owner },
    { "nobody watches what is in flight", flight_watched },
    { "nothing in flight is locked", flight_locked },
    { "in flight are not too many", flight_high },
    { "a named pipe has an absolute path", fifo_path },
    { "a named pipe holds no more than it can", fifo_queue },
    { "the other end of a named pipe has gone, or not", fifo_hung },
    { "a listener's address fits", fd_address },
    { "an item's set is an epoll descriptor", item_set },
    { "so is that of each other item", later_item_set },
    { "an item watches a descriptor", item_fd },
    { "a TCP descriptor has a connection", tcp_missing },
    { "a connection has a TCP descriptor", tcp_kind },
    { "a connection has the descriptor of its number", tcp_closed },
    { "connections are sorted", tcp_order },
    { "a connection's state is known", tcp_state },
    { "unsent bytes are queued", tcp_unsent },
    { "a timer's kind is known", timer_notify },
    { "a child has a pid", child_pid },
};
/* clang-format on */

START_TEST(invariants)
{
    ck_assert_ptr_null(image_check(&im));
    broken[_i].breaking();
    size = image_encode(&im, text, sizeof text);
    ck_assert_msg(
        !image_decode(&back, text, size, &why), "not kept: %s", broken[_i].claim);
}
END_TEST

/* Apply the difference of @im before and after; must give the new bytes. */
static size_t
check_delta(void)
{
    size_t now = image_encode(&im, text2, sizeof text2), n;

    n = image_lines_encode(text, size, text2, now, delta, sizeof delta);
    ck_assert_uint_gt(n, 0);
    ck_assert(image_lines_apply(text, &size, sizeof text, delta, n));
    ck_assert_uint_eq(size, now);
    ck_assert_mem_eq(text, text2, now);
    return n;
}

START_TEST(lines)
{
    ck_assert_uint_eq(check_delta(), 12); /* nothing changed: size, no moves */
    im.threads[1].regs[3]++;
    ck_assert_uint_le(check_delta(), 12 + 8 + 64);
    im.nthreads = 1; /* shrinks */
    check_delta();
    im.nthreads = 3; /* grows */
    im.nvmas = 1;
    check_delta();
}
END_TEST

START_TEST(lines_growing)
{
    uint8_t old[300], now[300];

    for (size_t i = 0; i < sizeof now; i++)
        now[i] = (uint8_t)i;
    for (size_t a = 0; a < sizeof old; a += 7)
        for (size_t b = 0; b < sizeof now; b += 11) {
            size_t n, have = a;

            memcpy(old, now, a);
            n = image_lines_encode(old, a, now, b, delta, sizeof delta);
            memset(old + a, 0xee, sizeof old - a);
            ck_assert(image_lines_apply(old, &have, sizeof old, delta, n));
            ck_assert_uint_eq(have, b);
            ck_assert_mem_eq(old, now, b);
            for (size_t cut = 1; cut < n && n > 12; cut++)
                ck_assert(
                    !image_lines_apply(old, &have, b, delta, n - cut) || have == b);
        }
}
END_TEST

/* Lines are compared by many at once. */
START_TEST(lines_many)
{
    static uint8_t old[20000], now[20000];

    for (size_t at = 0; at < sizeof now; at += 61) {
        size_t have = sizeof old, n;

        now[at]++;
        n = image_lines_encode(old, have, now, sizeof now, delta, sizeof delta);
        ck_assert_uint_le(n, 12 + 8 + 64);
        ck_assert(image_lines_apply(old, &have, sizeof old, delta, n));
        ck_assert_mem_eq(old, now, sizeof now);
    }
}
END_TEST

/* Elements that come and go in the middle, several at a time; those that stay may
 * change. */
START_TEST(lines_moved)
{
    enum { EACH = 84, MOST = 600 };
    static uint8_t old[2 * MOST * EACH], now[sizeof old];
    static uint8_t diff[2 * sizeof old];
    uint32_t serial = 1, n = MOST / 2;
    size_t literal = 0, whole = 0;
    unsigned moves = 0;

    srand(7);
    for (uint32_t i = 0; i < 2 * n; i++, serial++) /* mostly zeroes, as most are */
        memcpy(old + i * EACH, &serial, sizeof serial);
    for (unsigned round = 0; round < 2000; round++) {
        size_t had = (size_t)n * EACH, have = had, at = 0, one;

        for (uint32_t i = 0; i < n; i++) {
            bool goes = rand() % (n > MOST ? 150 : 400) == 0;
            unsigned come = rand() % 400 == 0
                                ? 1 + (unsigned)rand() % (n > MOST ? 1 : 20)
                                : 0;

            if (!goes && at + EACH <= sizeof now) {
                memcpy(now + at, old + i * EACH, EACH);
                now[at + 50] ^= rand() % 200 == 0;
                at += EACH;
            }
            for (; come > 0 && at + EACH <= sizeof now; come--, serial++, at += EACH) {
                memset(now + at, 0, EACH);
                memcpy(now + at, &serial, sizeof serial);
            }
        }
        one = image_lines_encode(old, had, now, at, diff, sizeof diff);
        ck_assert_uint_gt(one, 0);
        ck_assert(image_lines_apply(old, &have, sizeof old, diff, one));
        ck_assert_uint_eq(have, at);
        ck_assert_mem_eq(old, now, at);
        moves += diff[8];
        literal += one;
        whole += at;
        n = (uint32_t)(at / EACH);
        if (n == 0)
            break;
    }
    ck_assert_uint_gt(moves, 1000);
    ck_assert_uint_lt(literal, whole / 3);
}
END_TEST

static size_t
fill_lines(uint8_t *out, size_t at, unsigned n, uint32_t seed)
{
    for (unsigned i = 0; i < n * 16; i++) {
        uint32_t word = seed ? seed * 65536 + i : 0;

        memcpy(out + at + i * 4, &word, 4);
    }
    return at + (size_t)n * 64;
}

/* Zeroes look the same wherever they come from: no two moves come from one place. */
START_TEST(lines_alike)
{
    static uint8_t old[65536], now[65536], diff[131072];
    size_t had = 0, want = 0, n;

    had = fill_lines(old, had, 64, 1);
    had = fill_lines(old, had, 64, 2);
    had = fill_lines(old, had, 300, 0);
    had = fill_lines(old, had, 200, 3);
    want = fill_lines(now, want, 64, 1);
    want = fill_lines(now, want, 32, 4); /* comes */
    want = fill_lines(now, want, 64, 2);
    want = fill_lines(now, want, 40, 5); /* comes */
    want = fill_lines(now, want, 300, 0);
    want = fill_lines(now, want, 200, 3);
    n = image_lines_encode(old, had, now, want, diff, sizeof diff);
    ck_assert_uint_ge(diff[8], 2);
    ck_assert_uint_lt(n, want / 2);
    ck_assert(image_lines_apply(old, &had, sizeof old, diff, n));
    ck_assert_uint_eq(had, want);
    ck_assert_mem_eq(old, now, want);
}
END_TEST

START_TEST(lines_malformed)
{
    uint8_t base[128] = { 0 };
    size_t have = 64;
    static const struct {
        const char *claim;
        uint8_t bytes[40];
        size_t n;
    } rows[] = {
        { "a size beyond the capacity", { 129 }, 12 },
        { "growth that no run fills", { 128 }, 12 },
        { "a run beyond the size", { 64, [12] = 1, [16] = 1 }, 24 },
        { "an empty run", { 64, [12] = 0, [16] = 0 }, 20 },
        { "a run without its bytes", { 64, [12] = 0, [16] = 1 }, 24 },
        { "no size", { 1 }, 4 },
        { "no number of moves", { 64 }, 8 },
        { "more moves than there may be", { 64, [8] = 1, [9] = 1 }, 12 },
        { "moves that are not there", { 64, [8] = 1 }, 20 },
        { "an empty move", { 64, [8] = 1 }, 24 },
        { "a move from beyond the old", { 64, [8] = 1, [16] = 60, [20] = 5 }, 24 },
        { "a move beyond the new", { 64, [8] = 1, [12] = 60, [20] = 5 }, 24 },
        { "moves to the same place",
            { 64, [8] = 2, [20] = 8, [24] = 7, [28] = 9, [32] = 8 }, 36 },
        { "moves from the same place",
            { 64, [8] = 2, [20] = 8, [24] = 9, [28] = 7, [32] = 8 }, 36 },
        { "growth that a move fills in part", { 128, [8] = 1, [12] = 64, [20] = 63 },
            24 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(
            !image_lines_apply(base, &have, sizeof base, rows[i].bytes, rows[i].n),
            "taken: %s", rows[i].claim);
    ck_assert_uint_eq(have, 64);
}
END_TEST

START_TEST(datagrams)
{
    _Alignas(8) uint8_t parcel[256] = { 0 };
    struct image_datagram *d = (struct image_datagram *)parcel;
    uint32_t at = 0, one = sizeof *d + 8;

    d->size = 3;
    d = (struct image_datagram *)(parcel + one);
    d->size = 0;
    ck_assert_ptr_eq(image_datagram_next(parcel, one + sizeof *d, &at), parcel);
    ck_assert_ptr_eq(image_datagram_next(parcel, one + sizeof *d, &at), d);
    ck_assert_ptr_null(image_datagram_next(parcel, one + sizeof *d, &at));
    ck_assert_uint_eq(at, one + sizeof *d); /* the end */
    for (uint32_t cut = 0; cut < one; cut++) {
        at = 0;
        ck_assert_ptr_null(image_datagram_next(parcel, cut, &at));
        ck_assert_uint_eq(at, 0);
    }
    d->size = 0xffffffff; /* rounded up it would be nothing */
    at = one;
    ck_assert_ptr_null(image_datagram_next(parcel, sizeof parcel, &at));
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("image");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, round_trip);
    tcase_add_test(tc, truncation);
    tcase_add_test(tc, no_room);
    tcase_add_test(tc, bit_flips);
    ADD_ROWS(tc, invariants, broken);
    tcase_add_test(tc, lines);
    tcase_add_test(tc, lines_growing);
    tcase_add_test(tc, lines_many);
    tcase_add_test(tc, lines_moved);
    tcase_add_test(tc, lines_alike);
    tcase_add_test(tc, lines_malformed);
    tcase_add_test(tc, datagrams);
    return suite_run("image", tc, NULL);
}
