/* mapping_fuzz.c - mapping files: a parsed one must serve, a refused one must say why, at a place that exists. */
#include "lib/input_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_errors(struct slice text, const struct mapping_errors *errors)
{
    struct buf b;
    ASSERT(errors->count >= 1 && errors->count <= LIMIT_POLICY_ERRORS);
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.p[i] == '\n';
    for (unsigned i = 0; i < errors->count; i++) {
        const struct mapping_error *e = &errors->list[i];
        ASSERT(e->line >= 1 && e->line <= lines && e->column >= 1 && e->column <= text.len + 1 && e->len >= 1 && e->what[0]);
    }
    buf_init(&b, (size_t)16 << 20);
    mapping_print_errors(&b, SLICE("fuzz.map"), text, errors);
    ASSERT(b.err == KEER_OK);
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct keer_schema schema;
    struct mapping *m = NULL;
    struct mapping_errors errors;
    struct buf log;
    enum keer_err err = mapping_parse(text, &m, &errors);
    if (err != KEER_OK) {
        ASSERT(err != KEER_ENOMEM);
        check_errors(text, &errors);
        return 0;
    }
    ASSERT(errors.count == 0 && mapping_find(m, SLICE("id")));
    ASSERT(schema_init(&schema, HASH_KEY_DEFAULT) == KEER_OK && schema_add_all(&schema) == KEER_OK);
    buf_init(&log, (size_t)16 << 20);
    /* A header that has every column, and one row; and an object that has a key of each name. */
    struct buf csv, json;
    buf_init(&csv, (size_t)16 << 20);
    buf_init(&json, (size_t)16 << 20);
    for (unsigned i = 0; i < m->count; i++) {
        if (i)
            buf_char(&csv, m->delimiter ? m->delimiter : ',');
        buf_csv(&csv, m->entries[i].source);
        buf_char(&json, i ? ',' : '{');
        buf_json(&json, m->entries[i].source);
        buf_puts(&json, ":\"1\"");
    }
    buf_puts(&csv, "\n1,2018-04-01,purchase,1,2,3,4,5\n1;1;P;1;1\n");
    buf_puts(&json, "}\n{\"id\":1}\n");
    err = log_input(&log, &schema, &(struct input_options){.mapping = m, .format = m->format ? m->format : INPUT_CSV},
                    buf_view(&csv), 3, NULL);
    ASSERT(err != KEER_ENOMEM && err != KEER_EINVALID);
    err = log_input(&log, &schema, &(struct input_options){.mapping = m, .format = m->format ? m->format : INPUT_NDJSON},
                    buf_view(&json), 3, NULL);
    ASSERT(err != KEER_ENOMEM && err != KEER_EINVALID);
    buf_release(&log);
    buf_release(&csv);
    buf_release(&json);
    mapping_free(m);
    schema_release(&schema);
    return 0;
}
