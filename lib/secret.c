/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/secret.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
is_private(int fd, const char *path, char *error)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        snprintf(error, SECRET_ERROR_LEN, "%s: not a file", path);
        return false;
    }
    if (st.st_mode & 037)
        snprintf(error, SECRET_ERROR_LEN,
            "%s: mode %04o lets others read or change it: chown root:bascule, chmod "
            "0640",
            path, (unsigned)(st.st_mode & 07777));
    return !(st.st_mode & 037);
}

bool
secret_line(const char *path, char *text, size_t size, char *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = -1;

    error[0] = text[0] = '\0';
    if (fd < 0)
        snprintf(error, SECRET_ERROR_LEN, "%s: %s: one line, mode 0640 root:bascule",
            path, strerror(errno));
    else if (is_private(fd, path, error))
        n = read(fd, text, size - 1);
    fd_close(fd);
    if (n > 0)
        text[n] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    if (!text[0] && !error[0])
        snprintf(error, SECRET_ERROR_LEN, "%s: its first line is empty", path);
    return text[0] != '\0';
}
