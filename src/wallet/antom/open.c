/* open.c - Antom: a row of the file of wallets, and its keys. */
#include "wallet/antom/antom.h"
#include "wallet/settings.h"

static const char *const members[] = {"client_id", "private_key", "public_key", "key_version", "customer_belongs_to"};
static const char *const key_members[] = {"version", "file"};

static void read_keys(struct wallet_settings *s, struct antom *a)
{
    a->own = settings_private_key(s, 0, "private_key");
    a->own_version = settings_number(s, 0, "key_version", 1, 1000000, 1);
    unsigned count = settings_items(s, 0, "public_key", ANTOM_KEYS_MAX);
    for (unsigned i = 0; s->err == KEER_OK && i < count; i++) {
        uint32_t at = settings_item(s, 0, "public_key", i);
        settings_only(s, at, key_members, ARRAY_LEN(key_members));
        a->version[i] = settings_number(s, at, "version", 1, 1000000, 0);
        a->key[i] = settings_public_key(s, at, "file", 0);
        for (unsigned k = 0; s->err == KEER_OK && k < i; k++)
            if (a->version[k] == a->version[i])
                settings_fail(s, KEER_ECONFLICT, "\"public_key\": version %lld is there twice", (long long)a->version[i]);
        a->keys = i + 1;
    }
}

/* An address without a path means the API's usual place; the sandbox has another. */
static void set_base(struct antom *a)
{
    struct slice path = driver_path(slice_str(a->url));
    while (path.len && path.p[path.len - 1] == '/')
        path.len--;
    if (path.len)
        (void)snprintf(a->base, sizeof a->base, "%.*s", SLICE_ARG(path));
    else
        (void)snprintf(a->base, sizeof a->base, "/ams/api/v1");
}

enum keer_err antom_open(struct slice settings, const char *folder, void **ret_self, char ret_why[WALLET_WHY_BYTES])
{
    struct wallet_settings s;
    struct antom *a = calloc(1, sizeof *a);
    if (!a) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    enum keer_err err = settings_open(&s, settings, folder, ret_why);
    settings_only(&s, 0, members, ARRAY_LEN(members));
    settings_text(&s, 0, "url", false, a->url, sizeof a->url);
    settings_text(&s, 0, "client_id", false, a->client_id, sizeof a->client_id);
    settings_text(&s, 0, "customer_belongs_to", true, a->belongs_to, sizeof a->belongs_to);
    if (!a->belongs_to[0])
        (void)snprintf(a->belongs_to, sizeof a->belongs_to, "ALIPAY_CN");
    set_base(a);
    read_keys(&s, a);
    err = s.err;
    settings_close(&s);
    if (err == KEER_OK)
        *ret_self = a;
    else
        antom_free(a);
    return err;
}

void antom_free(void *self)
{
    struct antom *a = self;
    if (!a)
        return;
    crypto_key_free(a->own);
    for (unsigned i = 0; i < ANTOM_KEYS_MAX; i++)
        crypto_key_free(a->key[i]);
    free(a);
}

const struct wallet_driver wallet_antom = {.kind = "antom",
                                           .can = WALLET_CAN_CANCEL | WALLET_SYNC,
                                           .open = antom_open,
                                           .free = antom_free,
                                           .sign = antom_sign,
                                           .sign_finish = antom_sign_finish,
                                           .agreement_query = antom_agreement_query,
                                           .agreement_end = antom_agreement_end,
                                           .charge = antom_charge,
                                           .charge_query = antom_charge_query,
                                           .charge_cancel = antom_charge_cancel,
                                           .refund = antom_refund,
                                           .refund_query = antom_refund_query,
                                           .notice = antom_notice,
                                           .reply = antom_reply};
