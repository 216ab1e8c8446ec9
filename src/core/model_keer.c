/* model_keer.c - reads what Keersluis adds to a model file: name, calibration, texts of categories, card. */
#include <math.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/num.h"
#include "core/event.h"
#include "core/model_impl.h"

#define WHERE "learner.attributes.keer"

struct input {
    const struct tape *t;
    struct model *m;
    struct model_error *error;
};

static enum keer_err get_number(const struct input *in, uint32_t v, double *ret_v)
{
    return v && tape_is_number(in->t, v) ? num_f64(tape_text(in->t, v), ret_v) : KEER_ETYPE;
}

/* A list of numbers in [0, 1] that do not fall, or that rise. */
static enum keer_err read_points(const struct input *in, uint32_t calibration, const char *key, bool rise, uint32_t *ret_n,
                                 double **ret_points)
{
    uint32_t list = tape_find(in->t, calibration, key);
    double *p = NULL;
    if (list == TAPE_NONE || tape_type(in->t, list) != TAPE_ARRAY)
        return model_fail(in->error, KEER_ETYPE, WHERE ".calibration", "\"%s\" is not a list", key);
    uint32_t n = in->t->v[list].len;
    if (n < 1 || n > LIMIT_CALIBRATION_POINTS)
        return model_fail(in->error, KEER_ELIMIT, WHERE ".calibration", "\"%s\" has %u entries, not 1 to %d", key, n,
                          LIMIT_CALIBRATION_POINTS);
    enum keer_err err = model_take(&in->m->arena, n, sizeof *p, &p);
    if (err)
        return err;
    for (uint32_t i = 0, v = list + 1; i < n; i++, v = in->t->v[v].next) {
        if (get_number(in, v, &p[i]) != KEER_OK || !(p[i] >= 0 && p[i] <= 1))
            return model_fail(in->error, KEER_ERANGE, WHERE ".calibration", "\"%s\"[%u] is not a number from 0 to 1", key,
                              i);
        if (i > 0 && (p[i] < p[i - 1] || (rise && p[i] == p[i - 1])))
            return model_fail(in->error, KEER_ERANGE, WHERE ".calibration", "\"%s\"[%u] is not %s than the one before it",
                              key, i, rise ? "greater" : "less");
    }
    *ret_n = n;
    *ret_points = p;
    return KEER_OK;
}

static enum keer_err read_calibration(const struct input *in, uint32_t c)
{
    struct model *m = in->m;
    uint32_t v = tape_find(in->t, c, "kind"), n = 0;
    struct slice kind = v && tape_type(in->t, v) == TAPE_STRING ? tape_text(in->t, v) : SLICE("");
    if (slice_eq(kind, SLICE("none")))
        return KEER_OK;
    if (slice_eq(kind, SLICE("platt"))) {
        if (get_number(in, tape_find(in->t, c, "a"), &m->platt_a) != KEER_OK ||
            get_number(in, tape_find(in->t, c, "b"), &m->platt_b) != KEER_OK || fabs(m->platt_a) > 1e6 ||
            fabs(m->platt_b) > 1e6)
            return model_fail(in->error, KEER_ERANGE, WHERE ".calibration", "\"a\" and \"b\" must be numbers within 1e6");
        m->calibration = CALIBRATION_PLATT;
        return KEER_OK;
    }
    if (!slice_eq(kind, SLICE("isotonic")))
        return model_fail(in->error, KEER_EUNSUPPORTED, WHERE ".calibration", "\"kind\" must be none, isotonic or platt");
    enum keer_err err = read_points(in, c, "x", true, &m->points, &m->point_x);
    if (!err)
        err = read_points(in, c, "y", false, &n, &m->point_y);
    if (!err && n != m->points)
        return model_fail(in->error, KEER_EFORMAT, WHERE ".calibration", "\"x\" has %u entries and \"y\" %u", m->points, n);
    if (!err)
        m->calibration = CALIBRATION_ISOTONIC;
    return err;
}

/* Adds text `i` to the table; false when it is there already. */
static bool table_add(struct model_feature *f, uint32_t i)
{
    for (uint64_t h = hash_bytes(HASH_KEY_DEFAULT, f->text[i].p, f->text[i].len).lo;; h++) {
        uint32_t *at = &f->table[h & f->table_mask];
        if (*at == 0) {
            *at = i + 1;
            return true;
        }
        if (slice_eq(f->text[*at - 1], f->text[i]))
            return false;
    }
}

static enum keer_err read_texts(const struct input *in, struct model_feature *f, uint32_t list)
{
    char where[96];
    (void)snprintf(where, sizeof where, WHERE ".categories.%.*s", SLICE_ARG(f->name));
    if (tape_type(in->t, list) != TAPE_ARRAY)
        return model_fail(in->error, KEER_ETYPE, where, "not a list");
    uint32_t n = in->t->v[list].len, size = 2;
    if (n > LIMIT_CATEGORIES)
        return model_fail(in->error, KEER_ELIMIT, where, "%u categories; at most %d are supported", n, LIMIT_CATEGORIES);
    while (size < 2 * n)
        size *= 2;
    enum keer_err err = model_take(&in->m->arena, n, sizeof *f->text, &f->text);
    if (!err)
        err = model_take(&in->m->arena, size, sizeof *f->table, &f->table);
    f->table_mask = size - 1;
    f->is_category = true;
    for (uint32_t i = 0, v = list + 1; !err && i < n; i++, v = in->t->v[v].next) {
        if (tape_type(in->t, v) != TAPE_STRING)
            return model_fail(in->error, KEER_ETYPE, where, "entry %u is not a text", i);
        f->text[i] = arena_copy(&in->m->arena, tape_text(in->t, v));
        if (!f->text[i].p)
            return KEER_ENOMEM;
        if (!table_add(f, i))
            return model_fail(in->error, KEER_ECONFLICT, where, "entry %u occurs before", i);
        f->texts = i + 1;
    }
    return err;
}

static enum keer_err read_categories(const struct input *in, uint32_t object)
{
    enum keer_err err = KEER_OK;
    if (tape_type(in->t, object) != TAPE_OBJECT)
        return model_fail(in->error, KEER_ETYPE, WHERE ".categories", "not an object");
    for (uint32_t k = object + 1; !err && k < in->t->v[object].next; k = in->t->v[k + 1].next) {
        struct slice name = tape_text(in->t, k);
        int feature = model_feature_find(in->m, name);
        if (feature < 0)
            return model_fail(in->error, KEER_EMISSING, WHERE ".categories", "the model has no feature '%.*s'",
                              (int)MIN_OF(name.len, LIMIT_NAME_BYTES), name.p);
        err = read_texts(in, &in->m->feature[feature], k + 1);
    }
    return err;
}

/* Back to text, compact. The tape is flat, so that a stack of open containers is all it takes. */
static void print_value(const struct tape *t, uint32_t root, struct buf *b)
{
    uint32_t open[LIMIT_JSON_DEPTH + 1], child[LIMIT_JSON_DEPTH + 1];
    unsigned depth = 0;
    for (uint32_t i = root; i < t->v[root].next || depth > 0;) {
        if (depth > 0 && i == t->v[open[depth - 1]].next) {
            buf_char(b, tape_type(t, open[--depth]) == TAPE_OBJECT ? '}' : ']');
            continue;
        }
        if (depth > 0) {
            bool object = tape_type(t, open[depth - 1]) == TAPE_OBJECT;
            uint32_t number = child[depth - 1]++;
            if (number > 0)
                buf_char(b, object && number % 2 ? ':' : ',');
        }
        switch (tape_type(t, i)) {
        case TAPE_OBJECT:
        case TAPE_ARRAY:
            buf_char(b, tape_type(t, i) == TAPE_OBJECT ? '{' : '[');
            child[depth] = 0;
            open[depth++] = i;
            break;
        case TAPE_STRING: buf_json(b, tape_text(t, i)); break;
        case TAPE_INTEGER:
        case TAPE_REAL:
        case TAPE_TRUE:
        case TAPE_FALSE:
        case TAPE_NULL: buf_slice(b, tape_text(t, i)); break;
        case TAPE_NAN: buf_puts(b, "null"); break;
        case TAPE_TYPE_MAX: ASSERT(false);
        }
        i++;
    }
}

static enum keer_err read_card(const struct input *in, uint32_t card)
{
    struct buf b;
    buf_init(&b, LIMIT_CARD_BYTES);
    print_value(in->t, card, &b);
    enum keer_err err = b.err;
    if (err == KEER_ELIMIT)
        (void)model_fail(in->error, err, WHERE ".card", "longer than %u bytes", LIMIT_CARD_BYTES);
    if (!err) {
        in->m->card = arena_copy(&in->m->arena, buf_view(&b));
        err = in->m->card.p ? KEER_OK : KEER_ENOMEM;
    }
    buf_release(&b);
    return err;
}

static enum keer_err read_all(const struct input *in)
{
    int64_t version = 0;
    uint32_t v = tape_find(in->t, 0, "version");
    enum keer_err err = KEER_OK;
    if (!v || !tape_is_number(in->t, v) || num_i64(tape_text(in->t, v), 1, 1, &version) != KEER_OK)
        return model_fail(in->error, KEER_EVERSION, WHERE, "\"version\" is not 1");
    if ((v = tape_find(in->t, 0, "name")) != TAPE_NONE) {
        if (tape_type(in->t, v) != TAPE_STRING || in->t->v[v].len > LIMIT_NAME_BYTES)
            return model_fail(in->error, KEER_ETYPE, WHERE, "\"name\" is not a text of at most %d bytes", LIMIT_NAME_BYTES);
        in->m->name = arena_copy(&in->m->arena, tape_text(in->t, v));
        err = in->m->name.p ? KEER_OK : KEER_ENOMEM;
    }
    if (!err && (v = tape_find(in->t, 0, "calibration")) != TAPE_NONE)
        err = read_calibration(in, v);
    if (!err && (v = tape_find(in->t, 0, "categories")) != TAPE_NONE)
        err = read_categories(in, v);
    if (!err && (v = tape_find(in->t, 0, "card")) != TAPE_NONE)
        err = read_card(in, v);
    return err;
}

enum keer_err model_keer_read(struct model *m, struct slice json, struct model_error *ret_error)
{
    struct tape tape = {0};
    struct input in = {.t = &tape, .m = m, .error = ret_error};
    enum keer_err err = model_tape(&tape, json, WHERE ", ", ret_error);
    if (!err)
        err = read_all(&in);
    if (err == KEER_ELIMIT && ret_error->text[0] == '\0')
        (void)model_fail(ret_error, err, WHERE, "the model needs more than 1 GiB of memory");
    tape_release(&tape);
    return err;
}
