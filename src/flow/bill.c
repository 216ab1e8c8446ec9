/* bill.c - journals and bill files, line by line. */
#include "flow/bill.h"

#include "base/num.h"
#include "base/timefmt.h"

enum field {
    FIELD_TIME,
    FIELD_REF,
    FIELD_NUMBER,
    FIELD_KIND,
    FIELD_CURRENCY,
    FIELD_AMOUNT,
    FIELD_REFUND_REF,
    FIELD_REFUND_NUMBER,
    FIELD_REFUND_AMOUNT,
    FIELD_REFUND_STATE,
    FIELD_MAX
};
static_assert(FIELD_MAX <= BILL_FIELDS_MAX, "a place each");
static const struct {
    enum bill_format format;
    enum field field;
    bool required;
    const char *name, *gbk;
} columns[] = {
#define BILL_COLUMN(format, field, required, name, gbk) {BILL_##format, FIELD_##field, required, name, gbk},
#include "flow/bills.def"
#undef BILL_COLUMN
};
#define CELLS_MAX 64u
#define CHINA_US (8 * US_HOUR)

const char *bill_format_name(enum bill_format format)
{
    static const char *const names[] = {"journal", "alipay", "wechatpay", "auto"};
    static_assert(ARRAY_LEN(names) == BILL_FORMAT_MAX, "a name each");
    return names[format];
}

void bill_init(struct bill *b, enum bill_format format, bill_each_fn *each, void *ctx)
{
    *b = (struct bill){.format = format, .each = each, .ctx = ctx};
    buf_init(&b->line, BILL_LINE_BYTES);
}

void bill_release(struct bill *b)
{
    buf_release(&b->line);
    tape_release(&b->tape);
}

static enum keer_err wrong(struct bill *b, const char *fmt, ...) KEER_PRINTF(2, 3);
static enum keer_err wrong(struct bill *b, const char *fmt, ...)
{
    va_list ap;
    b->why.line = b->lines;
    va_start(ap, fmt);
    (void)vsnprintf(b->why.text, sizeof b->why.text, fmt, ap);
    va_end(ap);
    return KEER_EFORMAT;
}

static enum keer_err tell(struct bill *b, const struct bill_line *l)
{
    const struct slice texts[] = {l->wallet, l->number, l->ref, l->charge};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].len > BILL_TEXT_BYTES)
            return wrong(b, "a number of more than %d bytes", BILL_TEXT_BYTES);
    if (!l->number.len && l->kind != BILL_REFUND)
        return wrong(b, "there is no number of ours");
    if (l->kind == BILL_REFUND && !l->charge.len)
        return wrong(b, "a refund without the number of its charge");
    b->told++;
    return b->each(b->ctx, l);
}

/* --- the journal --- */

static struct slice member(const struct bill *b, const char *name)
{
    uint32_t i = tape_find(&b->tape, 0, name);
    bool text = i != TAPE_NONE && (tape_type(&b->tape, i) == TAPE_STRING || tape_type(&b->tape, i) == TAPE_INTEGER);
    return text ? tape_text(&b->tape, i) : (struct slice){NULL, 0};
}

static bool one_of(struct slice word, const char *const *words, unsigned count, unsigned *ret)
{
    for (unsigned i = 0; i < count; i++)
        if (words[i] && slice_eq(word, slice_str(words[i]))) {
            *ret = i;
            return true;
        }
    return false;
}

static enum keer_err journal_line(struct bill *b, struct slice text)
{
    static const char *const kinds[] = {"agreement", "charge", "refund"};
    static const char *const whats[] = {"signed", "ended", "paid", "closed", "failed", "reversed", "waits"};
    static_assert(ARRAY_LEN(kinds) == BILL_KIND_MAX && ARRAY_LEN(whats) == BILL_WHAT_MAX, "a word each");
    static const struct tape_limits limits = {.bytes = BILL_LINE_BYTES, .values = 256, .depth = 4, .keys = 64};
    struct tape_error error;
    unsigned kind, what;
    enum keer_err err = tape_read(&b->tape, text, &limits, &error);
    if (err != KEER_OK)
        return err == KEER_ENOMEM ? err : wrong(b, "column %zu: %s", error.at + 1, error.text);
    if (tape_type(&b->tape, 0) != TAPE_OBJECT)
        return wrong(b, "a JSON object was expected");
    struct bill_line l = {.line = b->lines,
                          .wallet = member(b, "wallet"),
                          .number = member(b, "number"),
                          .ref = member(b, "ref"),
                          .charge = member(b, "charge"),
                          .currency = CUR_MAX};
    if (!one_of(member(b, "kind"), kinds, ARRAY_LEN(kinds), &kind))
        return wrong(b, "kind: agreement, charge or refund was expected");
    if (!one_of(member(b, "what"), whats, ARRAY_LEN(whats), &what) || (kind == BILL_AGREEMENT) != (what <= BILL_ENDED))
        return wrong(b, "what: no word for what becomes of %s %s", kind == BILL_AGREEMENT ? "an" : "a", kinds[kind]);
    if (time_parse(member(b, "time"), &l.at_us) != KEER_OK)
        return wrong(b, "time: not a time, as 2018-10-10T02:11:42Z");
    l.kind = (enum bill_kind)kind;
    l.what = (enum bill_what)what;
    if (kind != BILL_AGREEMENT) {
        l.currency = currency_parse(member(b, "currency"));
        if (l.currency == CUR_MAX)
            return wrong(b, "currency: an ISO 4217 code, as CNY");
        if (num_i64(member(b, "amount"), 0, NUM_EXACT_MAX, &l.amount_minor) != KEER_OK)
            return wrong(b, "amount: a whole number of minor units was expected");
    }
    return tell(b, &l);
}

/* --- bills --- */

/* Cells of a line; a tab behind a number, and WeChat's ` before it, keep spreadsheets from taking it for a float. Fields of
 * WeChat may hold commas: only one that stands before a ` parts them. */
static bool cut(const struct bill *b, struct slice line, struct slice *cells, unsigned *ret_count)
{
    bool ticks = b->format == BILL_WECHATPAY && line.len && line.p[0] == '`';
    unsigned count = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= line.len; i++) {
        bool ends = i == line.len || (line.p[i] == ',' && (!ticks || (i + 1 < line.len && line.p[i + 1] == '`')));
        if (!ends)
            continue;
        if (count == CELLS_MAX)
            return false;
        struct slice cell = slice_trim(slice_of(line.p + begin, i - begin));
        if (ticks && cell.len && cell.p[0] == '`')
            cell = slice_trim(slice_of(cell.p + 1, cell.len - 1));
        if (cell.len >= 2 && cell.p[0] == '"' && cell.p[cell.len - 1] == '"')
            cell = slice_of(cell.p + 1, cell.len - 2);
        cells[count++] = cell;
        begin = i + 1;
    }
    *ret_count = count;
    return true;
}

static enum keer_err names_line(struct bill *b, const struct slice *cells, unsigned count)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        if (columns[i].format != b->format)
            continue;
        for (unsigned k = 0; k < count; k++)
            if (slice_eq(cells[k], slice_str(columns[i].name)) || slice_eq(cells[k], slice_str(columns[i].gbk)))
                b->column[columns[i].field] = k + 1;
        if (columns[i].required && !b->column[columns[i].field])
            return wrong(b, "no column %s: this is no trade bill of %s", columns[i].name, bill_format_name(b->format));
    }
    b->columns = count;
    return KEER_OK;
}

static struct slice cell_of(const struct bill *b, const struct slice *cells, enum field field)
{
    return b->column[field] ? cells[b->column[field] - 1] : (struct slice){NULL, 0};
}

/* 648.00, -648.00: without its sign. */
static enum keer_err money(struct bill *b, struct slice text, enum currency c, int64_t *ret)
{
    int64_t v;
    if (num_scaled(text, currency_exponent(c), &v) != KEER_OK)
        return wrong(b, "'%.*s' is no amount", (int)MIN_OF(text.len, (size_t)40), text.p ? text.p : "");
    *ret = v < 0 ? -v : v;
    return KEER_OK;
}

static enum keer_err china_time(struct bill *b, struct slice text, int64_t *ret_us)
{
    int64_t us;
    if (text.len < 19 || time_parse(text, &us) != KEER_OK)
        return wrong(b, "'%.*s' is no time, as 2018-10-10 10:11:42", (int)MIN_OF(text.len, (size_t)40),
                     text.p ? text.p : "");
    *ret_us = us - CHINA_US;
    return KEER_OK;
}

static enum keer_err alipay_row(struct bill *b, const struct slice *cells)
{
    static const char *const words[][2] = {{"\xe4\xba\xa4\xe6\x98\x93", "\xbd\xbb\xd2\xd7"},  /* a trade */
                                           {"\xe9\x80\x80\xe6\xac\xbe", "\xcd\xcb\xbf\xee"}}; /* a refund */
    struct slice kind = cell_of(b, cells, FIELD_KIND), when = cell_of(b, cells, FIELD_TIME);
    struct bill_line l = {.line = b->lines, .what = BILL_PAID, .currency = CUR_CNY};
    unsigned i = 0;
    while (i < 2 && !slice_eq(kind, slice_str(words[i][0])) && !slice_eq(kind, slice_str(words[i][1])))
        i++;
    if (i == 2)
        return wrong(b, "column %s: neither a trade nor a refund", "业务类型");
    l.kind = i ? BILL_REFUND : BILL_CHARGE;
    l.number = cell_of(b, cells, i ? FIELD_REFUND_NUMBER : FIELD_NUMBER);
    l.charge = i ? cell_of(b, cells, FIELD_NUMBER) : (struct slice){NULL, 0};
    /* A refund has no number of its own there; one that was made in Alipay's pages may have none of ours either. */
    l.ref = !i ? cell_of(b, cells, FIELD_REF) : l.number.len ? (struct slice){NULL, 0} : when;
    enum keer_err err = money(b, cell_of(b, cells, FIELD_AMOUNT), l.currency, &l.amount_minor);
    if (err == KEER_OK)
        err = china_time(b, when, &l.at_us);
    return err == KEER_OK ? tell(b, &l) : err;
}

static enum keer_err wechat_row(struct bill *b, const struct slice *cells)
{
    struct slice kind = cell_of(b, cells, FIELD_KIND), state = cell_of(b, cells, FIELD_REFUND_STATE);
    struct bill_line l = {.line = b->lines, .what = BILL_PAID, .kind = BILL_CHARGE};
    bool refund = slice_eq(kind, SLICE("REFUND"));
    if (!refund && !slice_eq(kind, SLICE("SUCCESS")) && !slice_eq(kind, SLICE("REVOKED")))
        return wrong(b, "column %s: SUCCESS, REFUND or REVOKED was expected", "交易状态");
    l.currency = currency_parse(cell_of(b, cells, FIELD_CURRENCY));
    if (l.currency == CUR_MAX)
        return wrong(b, "column %s: an ISO 4217 code, as CNY", "货币种类");
    l.number = cell_of(b, cells, refund ? FIELD_REFUND_NUMBER : FIELD_NUMBER);
    l.ref = cell_of(b, cells, refund ? FIELD_REFUND_REF : FIELD_REF);
    if (refund) {
        l.kind = BILL_REFUND;
        l.charge = cell_of(b, cells, FIELD_NUMBER);
        if (slice_eq(state, SLICE("FAIL")) || slice_eq(state, SLICE("CHANGE")))
            l.what = BILL_FAILED;
        else if (slice_eq(state, SLICE("PROCESSING")))
            l.what = BILL_WAITS;
        else if (!slice_eq(state, SLICE("SUCCESS")))
            return wrong(b, "column %s: SUCCESS, FAIL, CHANGE or PROCESSING was expected", "退款状态");
    } else if (slice_eq(kind, SLICE("REVOKED"))) {
        l.what = BILL_REVERSED;
    }
    enum keer_err err =
        money(b, cell_of(b, cells, refund ? FIELD_REFUND_AMOUNT : FIELD_AMOUNT), l.currency, &l.amount_minor);
    if (err == KEER_OK)
        err = china_time(b, cell_of(b, cells, FIELD_TIME), &l.at_us);
    return err == KEER_OK ? tell(b, &l) : err;
}

static enum keer_err bill_row(struct bill *b, struct slice line)
{
    struct slice cells[CELLS_MAX];
    unsigned count;
    bool sums = b->format == BILL_WECHATPAY && b->columns && line.p[0] != '`';
    if (b->format == BILL_ALIPAY && line.p[0] == '#') {
        b->ended = b->columns != 0;
        return KEER_OK;
    }
    if (sums || (b->ended && b->format == BILL_WECHATPAY)) { /* the names of the sums, and the sums */
        b->ended = true;
        return KEER_OK;
    }
    if (b->ended)
        return wrong(b, "a row behind the end of the bill");
    if (!cut(b, line, cells, &count))
        return wrong(b, "more than %u columns", CELLS_MAX);
    if (!b->columns)
        return names_line(b, cells, count);
    if (count != b->columns)
        return wrong(b, "%u columns, the line of names has %u", count, b->columns);
    return b->format == BILL_ALIPAY ? alipay_row(b, cells) : wechat_row(b, cells);
}

/* --- lines --- */

#define BOM "\xef\xbb\xbf"

static enum keer_err one_line(struct bill *b, struct slice line)
{
    b->lines++;
    if (b->lines == 1 && line.len >= 3 && memcmp(line.p, BOM, 3) == 0)
        line = slice_of(line.p + 3, line.len - 3);
    line = slice_trim(line);
    if (!line.len)
        return KEER_OK;
    if (b->format == BILL_AUTO)
        b->format = line.p[0] == '{' ? BILL_JOURNAL : line.p[0] == '#' ? BILL_ALIPAY : BILL_WECHATPAY;
    return b->format == BILL_JOURNAL ? journal_line(b, line) : bill_row(b, line);
}

static enum keer_err too_long(struct bill *b, enum keer_err err)
{
    b->lines++;
    (void)wrong(b, "%s", err == KEER_ELIMIT ? "the line is too long" : "out of memory");
    return err;
}

enum keer_err bill_feed(struct bill *b, struct slice piece)
{
    enum keer_err err = KEER_OK;
    while (err == KEER_OK && piece.len) {
        const char *end = memchr(piece.p, '\n', piece.len);
        size_t len = end ? (size_t)(end - piece.p) : piece.len;
        if (!end || b->line.len) {
            buf_put(&b->line, piece.p, len);
            if (b->line.err != KEER_OK)
                return too_long(b, b->line.err);
        } else if (len > BILL_LINE_BYTES) {
            return too_long(b, KEER_ELIMIT);
        }
        if (!end)
            return KEER_OK;
        err = one_line(b, b->line.len ? buf_view(&b->line) : slice_of(piece.p, len));
        buf_clear(&b->line);
        piece = slice_of(end + 1, piece.len - len - 1);
    }
    return err;
}

enum keer_err bill_end(struct bill *b)
{
    enum keer_err err = b->line.len ? one_line(b, buf_view(&b->line)) : KEER_OK;
    buf_clear(&b->line);
    if (err != KEER_OK || b->format == BILL_JOURNAL)
        return err;
    if (b->format == BILL_AUTO)
        return KEER_OK; /* an empty file: nothing has happened */
    if (!b->columns)
        return wrong(b, "the line of names is missing: this is no trade bill of %s", bill_format_name(b->format));
    return b->ended ? KEER_OK : wrong(b, "the bill ends before its last part: it was cut");
}
