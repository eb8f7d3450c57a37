/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/aesgcm.h"

#include "lib/log.h"

#include <intel-ipsec-mb.h>
#include <pthread.h>

_Static_assert(
    sizeof(struct gcm_key_data) <= sizeof(((struct aesgcm *)0)->state), "room for it");

/* Which functions fit this processor; read only once it is there. */
static IMB_MGR *functions;

static void
choose(void)
{
    IMB_ARCH arch;

    functions = alloc_mb_mgr(0);
    if (!functions)
        log_fatal("libipsec-mb does not start: out of memory");
    init_mb_mgr_auto(functions, &arch);
}

bool
aesgcm_available(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint64_t needed = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;

    pthread_once(&once, choose);
    return (functions->features & needed) == needed;
}

void
aesgcm_init(struct aesgcm *out, const uint8_t key[AESGCM_KEY])
{
    IMB_AES256_GCM_PRE(functions, key, (struct gcm_key_data *)out->state);
}

void
aesgcm_seal(const struct aesgcm *key, const uint8_t nonce[AESGCM_NONCE], const void *ad,
    size_t ad_size, const uint8_t *data, size_t size, uint8_t *out,
    uint8_t tag[AESGCM_TAG])
{
    struct gcm_context_data work;

    IMB_AES256_GCM_ENC(functions, (const struct gcm_key_data *)key->state, &work, out,
        data, size, nonce, ad, ad_size, tag, AESGCM_TAG);
}

void
aesgcm_open(const struct aesgcm *key, const uint8_t nonce[AESGCM_NONCE], const void *ad,
    size_t ad_size, const uint8_t *data, size_t size, uint8_t *out,
    uint8_t tag[AESGCM_TAG])
{
    struct gcm_context_data work;

    IMB_AES256_GCM_DEC(functions, (const struct gcm_key_data *)key->state, &work, out,
        data, size, nonce, ad, ad_size, tag, AESGCM_TAG);
}
