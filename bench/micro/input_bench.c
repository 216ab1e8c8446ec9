/* input_bench.c - rows a second that the readers turn into events: a synthetic history of card payments in memory, as CSV of
 * nine columns through a mapping and as NDJSON by name. Usage: input_bench [ROWS]; prints 'name value unit' lines. */
#include <time.h>

#include "base/num.h"
#include "core/input.h"
#include "sim/cards.h"

#define CHUNK ((size_t)256 << 10) /* as `keer replay` reads a file */

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(enum keer_err err, const char *what)
{
    if (err == KEER_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, keer_err_text(err));
    exit(1);
}

static const char map_text[] =
    "format csv\nid TX_ID\ntime TX_DATETIME\ntype \"purchase\"\naccount CUSTOMER_ID\nterminal TERMINAL_ID\n"
    "amount TX_AMOUNT EUR\nlabel TX_FRAUD known after 7d\n"
    "scenario TX_FRAUD_SCENARIO { \"0\" = \"\", \"1\" = \"large amount\", \"2\" = \"terminal\", \"3\" = \"customer\" }\n";

/* Reads all of `text`; the number of events. Every record must be good. */
static uint64_t read_all(const struct keer_schema *schema, const struct input_options *o, struct slice text,
                         uint64_t *ret_sum)
{
    struct input *in;
    struct input_error err;
    struct keer_event *ev;
    uint64_t events = 0, sum = 0;
    must(keer_event_new(schema, &ev), "event");
    must(input_new(schema, o, &in, &err), "input");
    for (size_t at = 0;;) {
        enum input_result r = input_next(in, ev, &err);
        if (r == INPUT_EVENT) {
            events++;
            sum += ev->id_hash.lo ^ (uint64_t)ev->time_us ^ (uint64_t)ev->label;
            continue;
        }
        if (r != INPUT_MORE) {
            if (r != INPUT_END)
                must(err.code, err.what);
            break;
        }
        size_t n = MIN_OF(CHUNK, text.len - at);
        must(input_feed(in, slice_of(text.p + at, n), at + n == text.len), "feed");
        at += n;
    }
    input_free(in);
    keer_event_free(ev);
    *ret_sum = sum;
    return events;
}

static void measure(const char *name, const struct keer_schema *schema, const struct input_options *o, struct slice text)
{
    double best = 1e9;
    uint64_t events = 0, sum = 0;
    for (int run = 0; run < 3; run++) {
        double t = now_s();
        events = read_all(schema, o, text, &sum);
        best = MIN_OF(best, now_s() - t);
    }
    printf("%s %.0f rows/s\n", name, (double)events / best);
    printf("%s %.1f MB/s\n", name, (double)text.len / best / 1e6);
    printf("# %s: %llu events, checksum %llx\n", name, (unsigned long long)events, (unsigned long long)sum);
}

int main(int argc, char **argv)
{
    uint64_t rows = 1000000;
    if (argc > 1)
        must(num_u64(slice_str(argv[1]), 1, 10000000, &rows), argv[1]);
    struct cards *cards;
    struct cards_row row;
    struct buf csv, ndjson;
    struct cards_options options = cards_defaults();
    bool more = true;
    double t = now_s(), spent = 0;
    options.days = CARDS_DAYS_MAX;
    must(cards_new(&options, &cards), "cards");
    buf_init(&csv, SIZE_MAX / 4);
    buf_init(&ndjson, SIZE_MAX / 4);
    cards_write_csv_header(&csv);
    uint64_t made = 0;
    for (; made < rows && more; made++) {
        must(cards_next(cards, &row, &more), "cards");
        cards_write_csv(&csv, &row);
    }
    spent = now_s() - t;
    cards_free(cards);
    must(cards_new(&options, &cards), "cards");
    for (made = 0, more = true; made < rows && more; made++) {
        must(cards_next(cards, &row, &more), "cards");
        cards_write_ndjson(&ndjson, &row, 7 * US_DAY);
    }
    cards_free(cards);
    must(csv.err, "csv");
    must(ndjson.err, "ndjson");
    printf("cards_csv %.0f rows/s\n", (double)rows / spent);

    struct keer_schema schema;
    struct mapping *map;
    struct mapping_errors errors;
    must(schema_init(&schema, HASH_KEY_DEFAULT), "schema");
    must(schema_add_all(&schema), "schema");
    must(mapping_parse(slice_str(map_text), &map, &errors), errors.list[0].what);
    measure("input_csv", &schema, &(struct input_options){.mapping = map}, buf_view(&csv));
    measure("input_ndjson", &schema, &(struct input_options){.format = INPUT_NDJSON}, buf_view(&ndjson));
    mapping_free(map);
    schema_release(&schema);
    buf_release(&csv);
    buf_release(&ndjson);
    return 0;
}
