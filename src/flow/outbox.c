/* outbox.c - the outbox's life, its changes and its lists. */
#include "base/timefmt.h"
#include "flow/outbox_inside.h"

/* --- secrets --- */

static void seal(const struct outbox *o, const char *id, const struct crypto_hash *secret, struct webhook_secret *ret)
{
    if (o->has_key) {
        crypto_seal(&o->key, slice_str(id), secret, ret->bytes);
        ret->len = CRYPTO_SEALED_BYTES;
    } else {
        memcpy(ret->bytes, secret->bytes, sizeof secret->bytes);
        ret->len = CRYPTO_HASH_BYTES;
    }
}

bool outbox_unseal(const struct outbox *o, const char *id, const struct webhook_secret *s, struct crypto_hash *ret_secret)
{
    if (s->len == CRYPTO_SEALED_BYTES)
        return o->has_key && crypto_open(&o->key, slice_str(id), s->bytes, ret_secret);
    memcpy(ret_secret->bytes, s->bytes, sizeof ret_secret->bytes);
    return s->len == CRYPTO_HASH_BYTES;
}

/* --- names --- */

uint32_t outbox_event(struct slice name)
{
    struct slice rest = name;
    if (!slice_eq(slice_cut(&rest, '.'), SLICE("decision")) || !rest.p)
        return 0;
    for (unsigned i = 0; i < KEER_OUTCOME_MAX; i++)
        if (slice_eq(rest, slice_str(keer_outcome_name((enum keer_outcome)i))))
            return 1u << i;
    return 0;
}

void outbox_print(const struct webhook_row *row, const char *secret_or_null, struct buf *out)
{
    bool told = false;
    buf_puts(out, "{\"id\":");
    buf_json(out, slice_str(row->id));
    buf_puts(out, ",\"name\":");
    buf_json(out, slice_str(row->name));
    buf_puts(out, ",\"url\":");
    buf_json(out, slice_str(row->url));
    buf_puts(out, ",\"events\":[");
    for (unsigned i = 0; i < KEER_OUTCOME_MAX; i++)
        if (row->outcomes >> i & 1) {
            buf_fmt(out, "%s\"decision.%s\"", told ? "," : "", keer_outcome_name((enum keer_outcome)i));
            told = true;
        }
    buf_puts(out, "],\"created\":\"");
    time_print(out, row->created_us);
    buf_fmt(out, "\",\"enabled\":%s", row->disabled_us ? "false" : "true");
    if (row->disabled_us) {
        buf_puts(out, ",\"disabled\":\"");
        time_print(out, row->disabled_us);
        buf_puts(out, "\",\"why\":");
        buf_json(out, slice_str(row->why));
    }
    if (secret_or_null)
        buf_fmt(out, ",\"secret\":\"%s\"", secret_or_null);
    buf_char(out, '}');
}

/* --- changes, on the writer's thread --- */

static void random_id(char ret_id[WEBHOOK_ID_BYTES + 1])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[WEBHOOK_ID_BYTES];
    crypto_random(random, sizeof random);
    for (unsigned i = 0; i < WEBHOOK_ID_BYTES; i++)
        ret_id[i] = letters[random[i] & 31];
    ret_id[WEBHOOK_ID_BYTES] = '\0';
}

/* A new secret: as text for its owner, and as it is kept. */
static void make_secret(struct outbox *o, struct outbox_change *c)
{
    struct crypto_hash secret;
    crypto_random(secret.bytes, sizeof secret.bytes);
    memcpy(c->secret, "whsec_", 6);
    crypto_base64(&secret, c->secret + 6);
    seal(o, c->row.id, &secret, &c->row.secret);
    crypto_wipe(&secret, sizeof secret);
}

static enum keer_err change(struct db *db, struct outbox_change *c, int64_t now)
{
    struct outbox *o = c->outbox;
    enum keer_err err = KEER_EINVALID;
    switch (c->verb) {
    case OUTBOX_ADD:
        random_id(c->row.id);
        make_secret(o, c);
        c->row.created_us = now;
        return webhooks_add(db, &c->row);
    case OUTBOX_REMOVE: return webhooks_remove(db, c->row.id);
    case OUTBOX_ROTATE: make_secret(o, c); return webhooks_rotate(db, c->row.id, &c->row.secret, now + OUTBOX_OLD_SECRET_US);
    case OUTBOX_REPLAY:
        err = webhooks_disable(db, c->row.id, 0, SLICE(""));
        return err == KEER_OK ? delivery_replay(db, c->row.id, c->seq, now, &c->count) : err;
    }
    return err;
}

static void wipe_rows(struct webhook_row *rows, unsigned count)
{
    if (rows)
        crypto_wipe(rows, count * sizeof *rows);
    free(rows);
}

/* The outcomes that somebody wants. It may be too wide, never too narrow: whom an outcome goes to is looked up with each
 * decision of it. */
static uint32_t wanted_of(const struct webhook_row *rows, unsigned count)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < count; i++)
        mask |= rows[i].disabled_us ? 0 : rows[i].outcomes;
    return mask;
}

static enum keer_err change_run(struct db *db, struct write_task *t)
{
    struct outbox_change *c = t->ctx;
    struct webhook_row *rows = NULL;
    unsigned count = 0;
    enum keer_err err = change(db, c, c->outbox->o.wall_us());
    if (err == KEER_OK)
        err = webhooks_read(db, &rows, &count);
    c->wanted = wanted_of(rows, count);
    wipe_rows(rows, count);
    return err;
}

static void change_done(struct write_task *t, enum keer_err err)
{
    struct outbox_change *c = t->ctx;
    struct outbox *o = c->outbox;
    c->err = err;
    if (err == KEER_OK) {
        atomic_store(&o->wanted, c->wanted);
        (void)atomic_fetch_add(&o->generation, 1);
        net_wake(o->client);
    }
    c->done(c); /* c may be gone afterwards */
}

enum keer_err outbox_change(struct outbox *o, struct outbox_change *c)
{
    c->outbox = o;
    c->task = (struct write_task){.run = change_run, .done = change_done, .ctx = c};
    return decider_write(o->o.decider, &c->task);
}

/* --- what the decider tells --- */

static enum keer_err on_write(void *ctx, struct db *db, int64_t seq, enum keer_outcome outcome, int64_t decided_us)
{
    struct outbox *o = ctx;
    enum keer_err err = KEER_OK;
    if (!(atomic_load_explicit(&o->wanted, memory_order_relaxed) >> outcome & 1))
        return KEER_OK;
    if (!o->adder)
        err = delivery_adder(db, &o->adder);
    return err == KEER_OK ? delivery_add(o->adder, seq, outcome, decided_us) : err;
}

static void on_committed(void *ctx, int64_t last_seq, uint32_t outcomes)
{
    struct outbox *o = ctx;
    UNUSED(last_seq);
    if ((atomic_load_explicit(&o->wanted, memory_order_relaxed) & outcomes) && !atomic_exchange(&o->woken, true))
        net_wake(o->client);
}

static void on_closing(void *ctx)
{
    struct outbox *o = ctx;
    db_free(o->adder);
    o->adder = NULL;
}

/* --- lists --- */

enum keer_err outbox_list(struct outbox *o, struct slice id, struct buf *out)
{
    struct webhook_row *rows = NULL;
    unsigned count = 0, told = 0;
    (void)pthread_mutex_lock(&o->list_lock);
    enum keer_err err = webhooks_read(o->list_db, &rows, &count);
    (void)pthread_mutex_unlock(&o->list_lock);
    if (err != KEER_OK)
        return err;
    if (!id.len)
        buf_puts(out, "{\"webhooks\":[");
    for (unsigned i = 0; i < count; i++) {
        if (id.len && !slice_eq(slice_str(rows[i].id), id))
            continue;
        buf_puts(out, told++ ? ",\n" : "");
        outbox_print(&rows[i], NULL, out);
    }
    buf_puts(out, id.len ? "\n" : "]}\n");
    wipe_rows(rows, count);
    return id.len && !told ? KEER_EMISSING : out->err;
}

struct listing {
    struct buf *out;
    const char *id;
    unsigned count;
};

static void list_one(void *ctx, const struct delivery *d)
{
    struct listing *l = ctx;
    struct buf *b = l->out;
    if (++l->count > OUTBOX_LIST_MAX)
        return;
    buf_fmt(b,
            "%s{\"id\":\"msg_%s_%lld\",\"seq\":%lld,\"type\":\"decision.%s\",\"state\":\"%s\",\"attempts\":%lld,\"at\":\"",
            l->count > 1 ? ",\n" : "", l->id, (long long)d->seq, (long long)d->seq,
            d->outcome < KEER_OUTCOME_MAX ? keer_outcome_name((enum keer_outcome)d->outcome) : "?",
            delivery_state_name(d->state), (long long)d->attempts);
    time_print(b, d->at_us);
    buf_fmt(b, "\",\"status\":%lld,\"why\":", (long long)d->status);
    buf_json(b, d->why);
    buf_char(b, '}');
}

enum keer_err outbox_deliveries(struct outbox *o, struct slice id, enum delivery_state state, struct buf *out)
{
    char name[WEBHOOK_ID_BYTES + 1];
    struct buf none;
    buf_init(&none, 8192);
    enum keer_err err = id.len == WEBHOOK_ID_BYTES ? outbox_list(o, id, &none) : KEER_EMISSING;
    buf_release(&none);
    if (err != KEER_OK)
        return err;
    memcpy(name, id.p, id.len);
    name[id.len] = '\0';
    struct listing l = {out, name, 0};
    buf_puts(out, "{\"deliveries\":[");
    (void)pthread_mutex_lock(&o->list_lock);
    err = delivery_list(o->list_db, name, state, OUTBOX_LIST_MAX + 1, list_one, &l);
    (void)pthread_mutex_unlock(&o->list_lock);
    buf_fmt(out, "],\"more\":%s}\n", l.count > OUTBOX_LIST_MAX ? "true" : "false");
    return err == KEER_OK ? out->err : err;
}

/* --- life --- */

static enum keer_err open_all(struct outbox *o, struct db_why *why)
{
    struct webhook_row *rows = NULL;
    unsigned count = 0;
    struct crypto_hash secret;
    enum keer_err err = db_open(o->o.database, DB_READ, &o->worker_db, why);
    if (err == KEER_OK)
        err = db_open(o->o.database, DB_READ, &o->list_db, why);
    if (err != KEER_OK)
        return err;
    err = webhooks_read(o->worker_db, &rows, &count);
    if (err == KEER_OK)
        err = delivery_scanner(o->worker_db, &o->scanner);
    if (err != KEER_OK)
        (void)snprintf(why->text, sizeof why->text, "webhooks: %.300s",
                       err == KEER_EIO ? db_why(o->worker_db) : keer_err_text(err));
    for (unsigned i = 0; err == KEER_OK && i < count; i++)
        if (!outbox_unseal(o, rows[i].id, &rows[i].secret, &secret)) {
            err = KEER_EINVALID;
            (void)snprintf(why->text, sizeof why->text, "webhooks: the secret of %s is sealed, and %s", rows[i].id,
                           o->has_key ? "the key is another" : "there is no key");
        }
    atomic_store(&o->wanted, err == KEER_OK ? wanted_of(rows, count) : 0);
    wipe_rows(rows, count);
    crypto_wipe(&secret, sizeof secret);
    return err;
}

enum keer_err outbox_new(const struct outbox_options *options, struct outbox **ret_outbox, struct db_why *ret_why)
{
    struct outbox *o = calloc(1, sizeof *o);
    uint64_t seed;
    if (!o) {
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    o->o = *options;
    o->has_key = options->key_or_null != NULL;
    if (o->has_key)
        o->key = *options->key_or_null;
    o->known_generation = UINT32_MAX;
    crypto_random(&seed, sizeof seed);
    rng_seed(&o->rng, seed);
    (void)pthread_mutex_init(&o->list_lock, NULL); /* these don't fail on Linux */
    (void)pthread_mutex_init(&o->write_lock, NULL);
    (void)pthread_cond_init(&o->written, NULL);
    struct net_options net = {.allowed = &o->o.allowed,
                              .connect_us = options->timeout_us,
                              .whole_us = options->timeout_us,
                              .answer_max = 65536,
                              .head_max = 65536};
    enum keer_err err = open_all(o, ret_why);
    if (err == KEER_OK) {
        err = net_start();
        if (err == KEER_OK)
            err = net_client_new(&net, &o->client);
        if (err != KEER_OK)
            (void)snprintf(ret_why->text, sizeof ret_why->text, "webhooks: libcurl: %s", keer_err_text(err));
    }
    if (err != KEER_OK) {
        outbox_free(o);
        return err;
    }
    struct decider_observer observer = {on_write, on_committed, on_closing, o};
    decider_observe(options->decider, &observer);
    *ret_outbox = o;
    return KEER_OK;
}

enum keer_err outbox_start(struct outbox *o)
{
    o->running = pthread_create(&o->thread, NULL, outbox_main, o) == 0;
    return o->running ? KEER_OK : KEER_ENOMEM;
}

void outbox_stop(struct outbox *o)
{
    if (!o || !o->running)
        return;
    atomic_store(&o->stopping, true);
    net_wake(o->client);
    (void)pthread_join(o->thread, NULL);
    o->running = false;
}

void outbox_free(struct outbox *o)
{
    if (!o)
        return;
    outbox_stop(o);
    net_client_free(o->client);
    for (unsigned i = 0; i < o->lanes; i++) {
        buf_release(&o->lane[i]->body);
        crypto_wipe(o->lane[i], sizeof *o->lane[i]);
        free(o->lane[i]);
    }
    db_free(o->scanner);
    db_close(o->worker_db);
    db_close(o->list_db);
    crypto_wipe(&o->key, sizeof o->key);
    free(o);
}

struct outbox_stats *outbox_statistics(struct outbox *o) { return &o->stats; }
const struct net_networks *outbox_networks(const struct outbox *o) { return &o->o.allowed; }
