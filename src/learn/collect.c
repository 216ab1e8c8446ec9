/* collect.c - from decided events to rows of a dataset. */
#include "learn/collect.h"

#include <math.h>

enum keer_err collect_init(struct collect *c, const struct keer_policy *policy)
{
    *c = (struct collect){.policy = policy};
    arena_init(&c->texts, (size_t)64 << 20);
    enum keer_err err = dataset_init(&c->data, policy->feature_count);
    if (err != KEER_OK)
        return err;
    unsigned n = policy->feature_count;
    c->category = calloc(n + 1u, sizeof *c->category);
    c->text = calloc(n + 1u, sizeof *c->text);
    c->cap = calloc(n + 1u, sizeof *c->cap);
    if (!c->category || !c->text || !c->cap)
        return KEER_ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        struct slice name = policy->features[i].node->name;
        size_t len = MIN_OF(name.len, LIMIT_NAME_BYTES);
        memcpy(c->data.names[i], name.p, len);
        c->data.names[i][len] = '\0';
        c->monotone[i] = (int8_t)policy->features[i].node->number;
        c->has_monotone |= c->monotone[i] != 0;
        if (policy->features[i].text)
            c->category[c->text_features++] = (struct train_category){.feature = i};
    }
    c->account_slot = keer_schema_find(&policy->schema, "account", 7);
    c->amount_slot = keer_schema_find(&policy->schema, "amount", 6);
    return KEER_OK;
}

void collect_release(struct collect *c)
{
    dataset_release(&c->data);
    label_book_release(&c->labels);
    for (unsigned i = 0; i < c->text_features; i++)
        free(c->text[i]);
    free(c->category);
    free(c->text);
    free(c->cap);
    arena_release(&c->texts);
    *c = (struct collect){0};
}

/* The code of a text of the k-th text feature. Few different texts are the rule: a walk over them is fast enough. */
static enum keer_err category_code(struct collect *c, unsigned k, struct slice text, float *ret_code)
{
    struct train_category *cat = &c->category[k];
    for (size_t i = 0; i < cat->n; i++)
        if (slice_eq(c->text[k][i], text)) {
            *ret_code = (float)i;
            return KEER_OK;
        }
    if (cat->n == 4096)
        return KEER_ELIMIT;
    if (cat->n == c->cap[k]) {
        size_t cap = c->cap[k] ? c->cap[k] * 2 : 16;
        struct slice *grown = realloc(c->text[k], cap * sizeof *grown);
        if (!grown)
            return KEER_ENOMEM;
        c->text[k] = grown;
        c->cap[k] = cap;
        cat->texts = grown;
    }
    struct slice copy = arena_copy(&c->texts, text);
    if (!copy.p)
        return KEER_ENOMEM;
    c->text[k][cat->n] = copy;
    *ret_code = (float)cat->n++;
    return KEER_OK;
}

enum keer_err collect_row(struct collect *c, const struct keer_engine *e, const struct keer_event *ev,
                          const struct keer_decision *d)
{
    size_t r;
    if (event_type_is_label(ev->type))
        return label_book_add(&c->labels, ev);
    enum keer_err err = dataset_add(&c->data, &r);
    if (err != KEER_OK)
        return err;
    struct dataset *data = &c->data;
    float *x = data->cols ? data->x + r * data->cols : NULL;
    unsigned k = 0;
    for (unsigned i = 0; i < data->cols; i++) {
        if (!c->policy->features[i].text) {
            x[i] = e->features[i];
            continue;
        }
        struct slice text = engine_feature_text(e, ev, i);
        x[i] = NAN;
        if (text.p && (err = category_code(c, k, text, &x[i])) != KEER_OK)
            return err;
        k++;
    }
    data->time_us[r] = ev->time_us;
    data->entity[r] =
        c->account_slot >= 0 && event_has(ev, (unsigned)c->account_slot) ? ev->v[c->account_slot].u.hash.lo : 0;
    data->id[r] = ev->id_hash.lo;
    double minor = c->amount_slot >= 0 ? vm_amount(ev, (unsigned)c->amount_slot, &c->policy->conversions[0]) : (double)NAN;
    data->amount[r] = minor / currency_scale(c->policy->currency);
    data->score[r] = (float)d->score;
    data->outcome[r] = (uint8_t)d->outcome;
    data->label[r] = ev->label == KEER_LABEL_FRAUD;
    data->known_us[r] = ev->label == KEER_LABEL_NONE ? 0 : ev->label_known_us;
    data->scenario[r] = (uint8_t)dataset_scenario(data, ev->scenario);
    return KEER_OK;
}

size_t collect_labels(struct collect *c)
{
    size_t found = 0;
    label_book_seal(&c->labels);
    for (size_t r = 0; r < c->data.rows && c->labels.n; r++) {
        const struct label_entry *l = label_book_find(&c->labels, c->data.id[r]);
        if (!l)
            continue;
        c->data.label[r] = l->fraud;
        c->data.known_us[r] = l->known_us;
        found++;
    }
    return found;
}
