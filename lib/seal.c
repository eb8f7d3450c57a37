/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/seal.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(SEAL_KEY == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
_Static_assert(SEAL_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag size");
_Static_assert(
    SEAL_TAG == AESGCM_TAG && SEAL_TAG == crypto_verify_16_BYTES, "tag size");
_Static_assert(SEAL_KEY == AESGCM_KEY, "key size");

static void
need_sodium(void)
{
    if (sodium_init() < 0)
        log_fatal("libsodium does not start");
}

bool
seal_secret_read(const char *path, struct seal_secret *out, char *error)
{
    uint8_t bytes[4097];
    struct stat st;
    ssize_t n = 0;
    bool ok = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    need_sodium();
    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(error, SEAL_ERROR_LEN,
            "%s: %s; make it: (umask 077; head -c 64 /dev/urandom > %s)", path,
            strerror(errno), path);
        goto out;
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077)) {
        snprintf(error, SEAL_ERROR_LEN,
            "%s: must be a regular file that only its owner can read: chmod 0600 %s",
            path, path);
        goto out;
    }
    n = read(fd, bytes, sizeof bytes);
    if (n < 32 || n > 4096) {
        snprintf(error, SEAL_ERROR_LEN, "%s: must hold 32 to 4096 bytes", path);
        goto out;
    }
    crypto_generichash(out->key, sizeof out->key, bytes, (size_t)n, NULL, 0);
    ok = true;
out:
    sodium_memzero(bytes, sizeof bytes);
    fd_close(fd);
    return ok;
}

void
seal_derive(const struct seal_secret *secret, const char *purpose, unsigned from,
    unsigned to, const char *service, uint64_t epoch, uint64_t session,
    struct seal_key *out)
{
    crypto_generichash_state h;
    uint64_t numbers[4] = { from, to, epoch, session };

    crypto_generichash_init(&h, secret->key, sizeof secret->key, sizeof out->key);
    crypto_generichash_update(
        &h, (const uint8_t *)purpose, strlen(purpose) + 1); /* with the NULs: */
    crypto_generichash_update(&h, (const uint8_t *)service, strlen(service) + 1);
    crypto_generichash_update(&h, (const uint8_t *)numbers, sizeof numbers);
    crypto_generichash_final(&h, out->key, sizeof out->key);
}

static void
nonce_of(uint64_t counter, uint8_t out[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES])
{
    memset(out, 0, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    memcpy(out, &counter, sizeof counter);
}

void
seal(const struct seal_key *key, uint64_t nonce, const void *ad, size_t ad_size,
    const uint8_t *data, size_t size, uint8_t *out)
{
    uint8_t n[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

    nonce_of(nonce, n);
    crypto_aead_xchacha20poly1305_ietf_encrypt(
        out, NULL, data, size, ad, ad_size, NULL, n, key->key);
}

bool
seal_open(const struct seal_key *key, uint64_t nonce, const void *ad, size_t ad_size,
    const uint8_t *data, size_t size, uint8_t *out)
{
    uint8_t n[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

    if (size < SEAL_TAG)
        return false;
    nonce_of(nonce, n);
    return crypto_aead_xchacha20poly1305_ietf_decrypt(
               out, NULL, NULL, data, size, ad, ad_size, n, key->key) == 0;
}

bool
seal_has_aes(void)
{
    return aesgcm_available();
}

bool
seal_channel_of(
    struct seal_channel *out, const struct seal_key *key, enum seal_cipher cipher)
{
    static const char name[] = "aes256-gcm";
    uint8_t bound[SEAL_KEY];

    if (cipher == SEAL_AES256 && !seal_has_aes())
        return false;
    out->cipher = cipher;
    if (cipher == SEAL_AES256) { /* no key is used with two ciphers */
        crypto_generichash(bound, sizeof bound, (const uint8_t *)name, sizeof name,
            key->key, sizeof key->key);
        aesgcm_init(&out->aes, bound);
        sodium_memzero(bound, sizeof bound);
    } else {
        memcpy(out->key, key->key, sizeof key->key);
    }
    return true;
}

bool
seal_channel_init(struct seal_channel *out, const struct seal_secret *secret,
    enum seal_cipher cipher, const char *purpose, unsigned from, unsigned to,
    const char *service, uint64_t epoch, uint64_t session)
{
    struct seal_key key;
    bool ok;

    seal_derive(secret, purpose, from, to, service, epoch, session, &key);
    ok = seal_channel_of(out, &key, cipher);
    sodium_memzero(&key, sizeof key);
    return ok;
}

void
seal_channel_put(const struct seal_channel *c, uint64_t nonce, const void *ad,
    size_t ad_size, const uint8_t *data, size_t size, uint8_t *out)
{
    uint8_t n[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

    nonce_of(nonce, n); /* AES-GCM reads the first 12 bytes of it */
    if (c->cipher == SEAL_AES256)
        aesgcm_seal(&c->aes, n, ad, ad_size, data, size, out, out + size);
    else
        crypto_aead_xchacha20poly1305_ietf_encrypt(
            out, NULL, data, size, ad, ad_size, NULL, n, c->key);
}

static bool
open_aes(const struct seal_channel *c, const uint8_t *nonce, const void *ad,
    size_t ad_size, const uint8_t *data, size_t size, uint8_t *out)
{
    uint8_t told[SEAL_TAG], made[SEAL_TAG];

    memcpy(told, data + size, sizeof told);
    aesgcm_open(&c->aes, nonce, ad, ad_size, data, size, out, made);
    return crypto_verify_16(told, made) == 0;
}

bool
seal_channel_get(const struct seal_channel *c, uint64_t nonce, const void *ad,
    size_t ad_size, const uint8_t *data, size_t size, uint8_t *out)
{
    uint8_t n[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

    if (size < SEAL_TAG)
        return false;
    nonce_of(nonce, n);
    if (c->cipher == SEAL_AES256)
        return open_aes(c, n, ad, ad_size, data, size - SEAL_TAG, out);
    return crypto_aead_xchacha20poly1305_ietf_decrypt(
               out, NULL, NULL, data, size, ad, ad_size, n, c->key) == 0;
}

void
seal_random(void *out, size_t size)
{
    need_sodium();
    randombytes_buf(out, size);
}
