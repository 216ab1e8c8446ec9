/* report_fmt_test.c - figures and names as a report card shows them. */
#include "learn/report_fmt.h"

#include <math.h>

#include "learn/svg.h"
#include "lib/test.h"

#define NEAR(a, b) ck_assert_msg(fabs((a) - (b)) < 1e-9, "%s is %.12g, want %.12g", #a, (double)(a), (double)(b))

START_TEST(cells_and_names)
{
    ck_assert_str_eq(cell_count(0).s, "0");
    ck_assert_str_eq(cell_count(999).s, "999");
    ck_assert_str_eq(cell_count(18446744073709551615u).s, "18,446,744,073,709,551,615");
    ck_assert_str_eq(cell_fixed(-1234567.891, 2).s, "-1,234,567.89");
    ck_assert_str_eq(cell_fixed(-0.001, 2).s, "0.00");
    ck_assert_str_eq(cell_fixed(1e300, 2).s, "1e+300");
    ck_assert_str_eq(cell_fixed((double)NAN, 2).s, "n/a");
    ck_assert_str_eq(cell_percent(0.0712).s, "7.12 %");
    ck_assert_str_eq(cell_percent(0.00071).s, "0.071 %");
    ck_assert_str_eq(cell_percent(0.712).s, "71.2 %");
    ck_assert_str_eq(cell_percent(1).s, "100 %");
    ck_assert_str_eq(cell_money(1234.5, CUR_EUR).s, "EUR 1,234.50");
    ck_assert_str_eq(cell_money(1234.5, CUR_JPY).s, "JPY 1,234");
    ck_assert_str_eq(cell_duration(252e6).s, "4 min 12 s");
    ck_assert_str_eq(cell_duration(86400e6).s, "1 d");
    ck_assert_str_eq(cell_duration(250e3).s, "250 ms");
    ck_assert_str_eq(cell_short(1500000).s, "1.5M");
    ck_assert_str_eq(cell_latency(2140).s, "2.14 µs");
    struct name n = name_clean(SLICE("Zo\xC3\xAB \xE6\x94\xAF\xE4\xBB\x98\xE5\xAE\x9D"), 20);
    ck_assert_str_eq(n.s, "Zo\xC3\xAB \xE6\x94\xAF\xE4\xBB\x98\xE5\xAE\x9D");
    ck_assert_uint_eq(n.width, 7);
    n = name_clean(SLICE("abc\xC3\xAB"
                         "fgh"),
                   4);
    ck_assert_str_eq(n.s, "abc~");
    n = name_clean(SLICE("abcd"), 4);
    ck_assert_str_eq(n.s, "abcd");
    n = name_clean(SLICE("\xE6\x94"), 4);
    ck_assert_str_eq(n.s, "??");
    NEAR(svg_round_up(0.13), 0.2);
    NEAR(svg_round_up(21), 25);
    NEAR(svg_round_up(100), 100);
    NEAR(svg_round_up(-1), 1);
}
END_TEST

START_TEST(charts_leave_out_what_is_not_a_number)
{
    struct svg s;
    struct buf b;
    buf_init(&b, 10000);
    svg_open(&s, &b, 200, 100, "a \"<b>\" & c");
    s.x = (struct svg_axis){.min = 0.001, .max = 1, .log = true, .unit = SVG_PERCENT, .label = "x"};
    s.y = (struct svg_axis){.max = 100, .label = "y"};
    svg_axes(&s);
    struct svg_xy line[] = {{0, 10}, {(double)NAN, 5}, {0.1, (double)INFINITY}, {1e9, -1e9}};
    svg_line(&s, line, ARRAY_LEN(line), "c1");
    svg_dot(&s, line[1], 3, "f1", "never");
    svg_dot(&s, line[0], 3, "f1", "<tip>");
    svg_rect(&s, 0, 0, -1, 5, "f1", "never");
    svg_close(&s);
    ck_assert_int_eq(b.err, KEER_OK);
    struct slice text = buf_view(&b);
    ck_assert(slice_has(text, SLICE("aria-label=\"a &quot;&lt;b&gt;&quot; &amp; c\"")));
    ck_assert(slice_has(text, SLICE("<title>&lt;tip&gt;</title>")));
    ck_assert(slice_has(text, SLICE(">0.1 %</text>")) && slice_has(text, SLICE(">100 %</text>")));
    ck_assert(!slice_has(text, SLICE("never")) && !slice_has(text, SLICE("nan")) && !slice_has(text, SLICE("inf")));
    ck_assert(slice_has(text, SLICE("d=\"M70.0 50.0L180.0 54.0\""))); /* clamped to the plot: 70..180, 14..54 */
    buf_release(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("report_fmt");
    TCase *t = tcase_create("report_fmt");
    tcase_add_test(t, cells_and_names);
    tcase_add_test(t, charts_leave_out_what_is_not_a_number);
    suite_add_tcase(s, t);
    return test_main(s);
}
