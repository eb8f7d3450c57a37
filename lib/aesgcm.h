/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * aesgcm.h - AES-256-GCM as fast as the processor can (libipsec-mb behind it).
 *
 * The bulk of the packet log is sealed by the active node and opened by each standby:
 * 1400 bytes take 0.2 us, and 1 us with libsodium, which has no vector AES.  All else
 * about keys and nonces is seal.h's, its only user.
 * Source: NIST SP 800-38D. */
#ifndef BSC_AESGCM_H
#define BSC_AESGCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AESGCM_KEY 32
#define AESGCM_NONCE 12
#define AESGCM_TAG 16

struct aesgcm {
    _Alignas(64) uint8_t state[1024]; /* the key's schedule, and powers of the hash's */
};

/* aesgcm_available - the processor has AES.  To be asked first: without, and before,
 * nothing below may be called. */
bool aesgcm_available(void);
void aesgcm_init(struct aesgcm *out, const uint8_t key[AESGCM_KEY]);

/* aesgcm_seal - @size bytes of @data to @out (may be @data), and their tag.
 * aesgcm_open - back; the caller compares the tag, and uses nothing if it differs. */
void aesgcm_seal(const struct aesgcm *key, const uint8_t nonce[AESGCM_NONCE],
    const void *ad, size_t ad_size, const uint8_t *data, size_t size, uint8_t *out,
    uint8_t tag[AESGCM_TAG]);
void aesgcm_open(const struct aesgcm *key, const uint8_t nonce[AESGCM_NONCE],
    const void *ad, size_t ad_size, const uint8_t *data, size_t size, uint8_t *out,
    uint8_t tag[AESGCM_TAG]);

#endif
