/* pages_test.c - the hosted pages as they are in the program: languages, every page in each, and what a page may not have.
 */
#include "api/pages.h"

#include "api/tables.h"
#include "lib/test.h"

static const char *const languages[] = {"en", "nl", "zh"};

static void wants(const char *accept, const char *language)
{
    const char *got = page_language(slice_str(accept));
    ck_assert_msg(strcmp(got, language) == 0, "'%s' gives %s, want %s", accept ? accept : "nothing", got, language);
}

START_TEST(the_language_that_is_wanted_most)
{
    wants(NULL, "en");
    wants("", "en");
    wants("nl", "nl");
    wants("NL-be", "nl");
    wants("zh-Hans-CN,zh;q=0.9,en;q=0.8", "zh");
    wants("fr-CH, fr;q=0.9, nl;q=0.8, en;q=0.7, *;q=0.5", "nl");
    wants("en;q=0.5,nl;q=0.501", "nl");
    wants("nl;q=0.8,zh;q=0.8", "nl");
    wants(" de , zh ; q=1.000 ", "zh");
    wants("nl;level=1;q=0.2,en;q=0.3", "en");
}
END_TEST

START_TEST(a_language_that_is_none)
{
    wants("nl;q=0", "en");
    wants("nl;q=0.000,zh;q=0.001", "zh");
    wants("nl;q=2,zh;q=0.1", "zh");
    wants("nl;q=-1", "en");
    wants("nl;q=0.1234,zh;q=0.1", "zh");
    wants("nl;q=abc", "en");
    wants("nlx,zhx", "en");
    wants(",,,;;q,=,nl-", "nl");
    wants("../../nl", "en");
    ck_assert(!page_language_code(SLICE("de")));
    ck_assert(!page_language_code(SLICE("")));
    ck_assert(!page_language_code(SLICE("nl\r\nSet-Cookie: a=b")));
    ck_assert_str_eq(page_language_code(SLICE("ZH")), "zh");
}
END_TEST

/* A header of many thousand ranges costs no more than the first few. */
START_TEST(a_long_header_is_read_to_a_bound)
{
    static char text[8000];
    for (size_t i = 0; i + 4 < sizeof text; i += 3)
        memcpy(text + i, "de,", 3);
    memcpy(text + sizeof text - 4, "nl", 3);
    wants(text, "en");
}
END_TEST

static struct slice first_segment(const char *path)
{
    struct slice rest = slice_str(path + 1);
    return slice_cut(&rest, '/');
}

START_TEST(every_page_of_the_routes_is_there_in_every_language)
{
    const struct route_row *r;
    unsigned pages = 0;
    for (unsigned i = 0; (r = route_row(i)); i++) {
        if (strcmp(r->name, "page_get") != 0)
            continue;
        pages++;
        for (size_t l = 0; l < ARRAY_LEN(languages); l++) {
            const struct page_file *f = page_find(first_segment(r->path), slice_str(languages[l]));
            ck_assert_msg(f, "%s has no page in %s", r->path, languages[l]);
            ck_assert_uint_eq(f->len, strlen(f->body));
            ck_assert_str_eq(f->type, "text/html; charset=utf-8");
            ck_assert(slice_has(slice_str(f->body), SLICE("<h1 id=\"h\"")));
            ck_assert(!slice_has(slice_str(f->body), SLICE("{{")));
        }
    }
    ck_assert_uint_eq(pages, 9);
}
END_TEST

/* What `text` names behind each `prefix`, up to the character `end`, must be an asset. */
static unsigned each_is_there(const struct page_file *f, const char *prefix, char end)
{
    unsigned count = 0;
    for (const char *p = f->body; (p = strstr(p, prefix)); count++) {
        p += strlen(prefix);
        const char *q = strchr(p, end);
        ck_assert_msg(q && page_find(slice_of(p, (size_t)(q - p)), SLICE("")), "%s names %.60s", f->name, p);
    }
    return count;
}

START_TEST(what_a_page_or_a_script_loads_is_there)
{
    unsigned found = 0;
    for (size_t i = 0; i < page_files_count; i++)
        found += each_is_there(&page_files[i], "/assets/", '"') + each_is_there(&page_files[i], "from './", '\'');
    ck_assert_uint_gt(found, 100);
}
END_TEST

START_TEST(the_name_of_the_service_is_text)
{
    struct buf b;
    buf_init(&b, 100000);
    page_print(page_find(SLICE("sign-in"), SLICE("en")), SLICE("<b>Duo & \"Co\"</b>"), &b);
    ck_ok(b.err);
    ck_assert(slice_has(buf_view(&b), SLICE("<span>&lt;b&gt;Duo &amp; &quot;Co&quot;&lt;/b&gt;</span>")));
    ck_assert(slice_has(buf_view(&b), SLICE("<title>Sign in · &lt;b&gt;")));
    ck_assert(!slice_has(buf_view(&b), SLICE("<b>")) && !slice_has(buf_view(&b), SLICE("\032")));
    buf_release(&b);
}
END_TEST

/* The policy (page_headers) refuses these when they are shown; this finds them before. */
START_TEST(no_page_has_inline_code_or_another_host)
{
    static const char *const refused[] = {"<script>",    "<style",  " style=",  " onclick=", " onsubmit=",
                                          "javascript:", "http://", "https://", "innerHTML", "document.write"};
    for (size_t i = 0; i < page_files_count; i++) {
        const struct page_file *f = &page_files[i];
        bool names_svg = strstr(f->body, "createElementNS") || strcmp(f->type, "image/svg+xml") == 0;
        for (size_t j = 0; j < ARRAY_LEN(refused); j++) {
            if (names_svg && strcmp(refused[j], "http://") == 0)
                continue; /* the name of a namespace, which is not loaded */
            if (strstr(f->name, "payment.js") && strcmp(refused[j], "https://") == 0)
                continue; /* an origin to ask the browser with whether it can */
            ck_assert_msg(!strstr(f->body, refused[j]), "%s has '%s'", f->name, refused[j]);
        }
    }
}
END_TEST

START_TEST(names_and_tags_differ)
{
    for (size_t i = 0; i < page_files_count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct page_file *a = &page_files[i], *b = &page_files[j];
            ck_assert_msg(strcmp(a->name, b->name) != 0 || strcmp(a->lang, b->lang) != 0, "%s stands twice", a->name);
            ck_assert_msg(strcmp(a->etag, b->etag) != 0, "%s and %s have one tag", a->name, b->name);
        }
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
    static const char *const names[] = {"", "sign-in", "style.css", "../style.css", "00000000-style.css", "layout"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        ck_assert_ptr_null(page_find(slice_str(names[i]), SLICE("")));
    ck_assert_ptr_null(page_find(SLICE("sign-in"), SLICE("de")));
    ck_assert_str_eq(page_asset("none.css"), "");
    ck_assert(page_find(slice_str(page_asset("style.css")), SLICE("")));
    ck_assert(page_find(slice_str(page_asset("mark.svg")), SLICE("")));
}
END_TEST

/* A page and all that it loads stay light: they are what a phone on a slow network waits for before a payment. */
START_TEST(pages_are_light)
{
    size_t total = 0;
    for (size_t i = 0; i < page_files_count; i++) {
        const struct page_file *f = &page_files[i];
        if (!*f->lang && !strstr(f->name, "strings-nl") && !strstr(f->name, "strings-zh"))
            total += f->len;
    }
    printf("# all scripts, the style, the mark and the texts of one language: %zu bytes\n", total);
    ck_assert_uint_lt(total, 110000); /* before compression; with the page of linked wallets */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pages");
    TCase *t = tcase_create("pages");
    tcase_add_test(t, the_language_that_is_wanted_most);
    tcase_add_test(t, a_language_that_is_none);
    tcase_add_test(t, a_long_header_is_read_to_a_bound);
    tcase_add_test(t, every_page_of_the_routes_is_there_in_every_language);
    tcase_add_test(t, what_a_page_or_a_script_loads_is_there);
    tcase_add_test(t, the_name_of_the_service_is_text);
    tcase_add_test(t, no_page_has_inline_code_or_another_host);
    tcase_add_test(t, names_and_tags_differ);
    tcase_add_test(t, what_is_not_there_is_not_found);
    tcase_add_test(t, pages_are_light);
    suite_add_tcase(s, t);
    return test_main(s);
}
