/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * seal.h - authenticated encryption between nodes (libsodium behind it, see seal.c):
 * XChaCha20-Poly1305, or AES-256-GCM (aesgcm.h), with keys derived from the cluster's
 * secret.
 *
 * A key belongs to a purpose, a sender, a receiver and an epoch; a nonce is a counter
 * that is never used twice with a key.  Design: doc/protocol.md. */
#ifndef BSC_SEAL_H
#define BSC_SEAL_H

#include "lib/aesgcm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_KEY 32
#define SEAL_TAG 16 /* bytes that sealing adds */

struct seal_secret {
    uint8_t key[SEAL_KEY]; /* hash of the secret file */
};

struct seal_key {
    uint8_t key[SEAL_KEY];
};

#define SEAL_ERROR_LEN 256

/* seal_secret_read - the cluster's secret from @path: 32..4096 bytes, a regular file
 * that only its owner can read.  False: @error (SEAL_ERROR_LEN bytes) says what is
 * wrong and what to do. */
bool seal_secret_read(const char *path, struct seal_secret *out, char *error);

/* seal_derive - the key for @purpose ("stream", "beat": up to 8 characters), from node
 * @from to node @to, service @service, @epoch, @session (random per connection). */
void seal_derive(const struct seal_secret *secret, const char *purpose, unsigned from,
    unsigned to, const char *service, uint64_t epoch, uint64_t session,
    struct seal_key *out);

/* seal - encrypt @size bytes of @data into @out (size + SEAL_TAG); @ad is authenticated
 * too.  @out may be @data. */
void seal(const struct seal_key *key, uint64_t nonce, const void *ad, size_t ad_size,
    const uint8_t *data, size_t size, uint8_t *out);

/* seal_open - @size includes the tag; @out gets size - SEAL_TAG bytes (may be @data).
 * False: forged, damaged or another key; @out is then unusable. */
bool seal_open(const struct seal_key *key, uint64_t nonce, const void *ad,
    size_t ad_size, const uint8_t *data, size_t size, uint8_t *out);

/* For many messages: a key made ready for one cipher.  AES-256-GCM is for
 * processors that have it, and several times as fast there; both sides must use the
 * same cipher, which is part of the key: a flag that was changed on the way opens
 * nothing. */
enum seal_cipher { SEAL_XCHACHA20, SEAL_AES256, SEAL_NCIPHERS };

struct seal_channel {
    union {
        struct aesgcm aes;
        uint8_t key[SEAL_KEY];
    };
    enum seal_cipher cipher;
};

bool seal_has_aes(void); /* this processor can do SEAL_AES256 */

/* seal_channel_of - @key made ready for @cipher.  False: not on this processor. */
bool seal_channel_of(
    struct seal_channel *out, const struct seal_key *key, enum seal_cipher cipher);

/* seal_channel_init - see seal_derive().  False: not on this processor. */
bool seal_channel_init(struct seal_channel *out, const struct seal_secret *secret,
    enum seal_cipher cipher, const char *purpose, unsigned from, unsigned to,
    const char *service, uint64_t epoch, uint64_t session);

/* seal_channel_put, seal_channel_get - as seal() and seal_open(). */
void seal_channel_put(const struct seal_channel *c, uint64_t nonce, const void *ad,
    size_t ad_size, const uint8_t *data, size_t size, uint8_t *out);
bool seal_channel_get(const struct seal_channel *c, uint64_t nonce, const void *ad,
    size_t ad_size, const uint8_t *data, size_t size, uint8_t *out);

void seal_random(void *out, size_t size);

#endif
