/* embed.c - at build time: the hosted pages of web/hosted as C arrays.
 *
 *     embed OUT.c web/hosted/layout.html web/hosted/style.css web/hosted/mark.svg web/hosted/pages/NAME.html...
 * web/hosted/js/NAME.js...
 *
 * A page is layout.html around its own file, once for each language, with {{key}} replaced by the text of strings.def. In
 * the layout {{=body}}, {{=page}}, {{=title}}, {{=lang}}, {{=tag}} and {{=hash}} stand for what changes from page to page;
 * {{=service}} is left to the daemon, which knows its name.
 * A script is served as HASH-NAME.js, where HASH is of everything that was read: its imports ('./NAME.js') are given the
 * hash as well, so that what a page loads is of one build and may be kept for ever. The texts that scripts use (S.key) are
 * HASH-strings-LANG.js.
 *
 * It fails when a text is used that is not in the table, when one of the table is not used, when a translation is empty or
 * has other {placeholders} than the English one, or when a file has what the pages' policy would refuse (inline scripts,
 * styles, handlers; other hosts).
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum language {
#define PAGE_LANGUAGE(code, tag, name) LANG_##code,
#include "strings.def"
    LANG_MAX
};
static const struct {
    const char *code, *tag;
} languages[] = {
#define PAGE_LANGUAGE(code, tag, name) {#code, tag},
#include "strings.def"
};
static struct text {
    const char *key, *text[LANG_MAX];
    bool in_page, in_script;
} texts[] = {
#define PAGE_STRING(key, en, nl, zh) {#key, {en, nl, zh}, false, false},
#include "strings.def"
};
#define TEXTS (sizeof texts / sizeof *texts)
#define PAGE_SERVICE "\032" /* pages.h */
#define FILES_MAX 64
#define FILE_BYTES (256u << 10)
#define NAME_BYTES 64

struct out {
    char *p;
    size_t len, cap;
};
static struct file {
    char name[NAME_BYTES], kind[NAME_BYTES]; /* "sign-in", "html" */
    bool page;
    char *text;
    const char *path;
} files[FILES_MAX];
static unsigned files_count;
static uint64_t hash = 0xCBF29CE484222325u;
static char hash_text[17];

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("embed: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static void put(struct out *o, const char *p, size_t len)
{
    if (o->len + len + 1 > o->cap) {
        o->cap = (o->len + len + 1) * 2;
        o->p = realloc(o->p, o->cap);
        if (!o->p)
            die("no memory");
    }
    memcpy(o->p + o->len, p, len);
    o->len += len;
    o->p[o->len] = '\0';
}
static void puts_to(struct out *o, const char *s) { put(o, s, strlen(s)); }

/* FNV-1a, to name a build: nothing rests on nobody finding another text with the same hash. */
static void hash_add(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)p[i]) * 0x100000001B3u;
}
static uint64_t hash_of(const char *p, size_t len)
{
    uint64_t saved = hash, h;
    hash = 0xCBF29CE484222325u;
    hash_add(p, len);
    h = hash;
    hash = saved;
    return h;
}

static void load(const char *path)
{
    FILE *f = fopen(path, "rb");
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *dot = strrchr(base, '.');
    struct file *file = &files[files_count];
    if (!f || files_count == FILES_MAX || !dot || (size_t)(dot - base) >= NAME_BYTES)
        die("%s can't be read, or is one too many", path);
    file->text = calloc(1, FILE_BYTES);
    if (!file->text)
        die("no memory");
    size_t len = fread(file->text, 1, FILE_BYTES, f);
    if (len == FILE_BYTES || strlen(file->text) != len)
        die("%s is no text, or larger than %u bytes", path, FILE_BYTES);
    fclose(f);
    memcpy(file->name, base, (size_t)(dot - base));
    snprintf(file->kind, sizeof file->kind, "%s", dot + 1);
    file->page = strstr(path, "/pages/") != NULL;
    file->path = path;
    hash_add(base, strlen(base) + 1);
    hash_add(file->text, len);
    files_count++;
}

static struct file *file_find(const char *name, const char *kind)
{
    for (unsigned i = 0; i < files_count; i++)
        if (strcmp(files[i].name, name) == 0 && strcmp(files[i].kind, kind) == 0)
            return &files[i];
    die("%s.%s is missing", name, kind);
}

static struct text *text_find(const char *key, size_t len, const char *where)
{
    for (size_t i = 0; i < TEXTS; i++)
        if (strlen(texts[i].key) == len && memcmp(texts[i].key, key, len) == 0)
            return &texts[i];
    die("%s: strings.def has no '%.*s'", where, (int)len, key);
}

/* --- checks --- */

/* The {placeholders} of a text, sorted by being few: each must be in the other. */
static bool has_placeholders_of(const char *text, const char *other)
{
    for (const char *p = strchr(other, '{'); p; p = strchr(p + 1, '{')) {
        char name[NAME_BYTES];
        size_t len = strcspn(p, "}") + 1;
        if (len >= sizeof name)
            return false;
        memcpy(name, p, len);
        name[len] = '\0';
        if (!strstr(text, name))
            return false;
    }
    return true;
}

static void check_texts(void)
{
    for (size_t i = 0; i < TEXTS; i++) {
        const struct text *t = &texts[i];
        for (int l = 0; l < LANG_MAX; l++) {
            if (!t->text[l][0])
                die("strings.def: %s has no %s", t->key, languages[l].code);
            if (!has_placeholders_of(t->text[l], t->text[0]) || !has_placeholders_of(t->text[0], t->text[l]))
                die("strings.def: %s has other {placeholders} in %s", t->key, languages[l].code);
        }
        for (size_t j = 0; j < i; j++)
            if (strcmp(t->key, texts[j].key) == 0)
                die("strings.def: %s stands twice", t->key);
        if (!t->in_page && !t->in_script)
            die("strings.def: %s is not used", t->key);
    }
}

static void check_page(const struct file *f)
{
    static const char *const refused[] = {
        "<script>", "<style", " style=", " onclick=", " onload=", "javascript:", "http://", "https://"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strstr(f->text, refused[i]))
            die("%s has '%s', which the policy of the pages refuses", f->path, refused[i]);
}

static void check_script(const struct file *f)
{
    static const char *const refused[] = {"innerHTML",      "outerHTML", "insertAdjacentHTML",
                                          "document.write", "eval(",     "new Function"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strstr(f->text, refused[i]))
            die("%s has '%s': texts go into a page as text alone", f->path, refused[i]);
    for (const char *p = f->text; (p = strstr(p, "S.")); p += 2) {
        size_t len = strspn(p + 2, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (p > f->text && (isalnum((unsigned char)p[-1]) || p[-1] == '_' || p[-1] == '.'))
            continue;
        if (len)
            text_find(p + 2, len, f->path)->in_script = true;
    }
}

/* --- pages and scripts --- */

static void put_html(struct out *o, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '&': puts_to(o, "&amp;"); break;
        case '<': puts_to(o, "&lt;"); break;
        case '>': puts_to(o, "&gt;"); break;
        case '"': puts_to(o, "&quot;"); break;
        default: put(o, s, 1);
        }
}

static void fill(struct out *o, const struct file *from, const struct file *page, enum language l);

static void put_name(struct out *o, const char *name, size_t len, const struct file *from, const struct file *page,
                     enum language l)
{
    char key[NAME_BYTES + 8];
    if (name[0] != '=') {
        struct text *t = text_find(name, len, from->path);
        t->in_page = true;
        put_html(o, t->text[l]);
    } else if (len == 5 && !memcmp(name, "=body", 5)) {
        fill(o, page, page, l);
    } else if (len == 5 && !memcmp(name, "=page", 5)) {
        puts_to(o, page->name);
    } else if (len == 5 && !memcmp(name, "=lang", 5)) {
        puts_to(o, languages[l].code);
    } else if (len == 4 && !memcmp(name, "=tag", 4)) {
        puts_to(o, languages[l].tag);
    } else if (len == 5 && !memcmp(name, "=hash", 5)) {
        puts_to(o, hash_text);
    } else if (len == 8 && !memcmp(name, "=service", 8)) {
        puts_to(o, PAGE_SERVICE);
    } else if (len == 6 && !memcmp(name, "=title", 6)) {
        snprintf(key, sizeof key, "title_%s", page->name);
        for (char *p = key; *p; p++)
            *p = *p == '-' ? '_' : *p;
        put_name(o, key, strlen(key), page, page, l);
    } else {
        die("%s: what is {{%.*s}}?", from->path, (int)len, name);
    }
}

static void fill(struct out *o, const struct file *from, const struct file *page, enum language l)
{
    const char *p = from->text, *hole;
    while ((hole = strstr(p, "{{"))) {
        const char *end = strstr(hole, "}}");
        if (!end)
            die("%s: a {{ without }}", from->path);
        put(o, p, (size_t)(hole - p));
        put_name(o, hole + 2, (size_t)(end - hole - 2), from, page, l);
        p = end + 2;
    }
    puts_to(o, p);
}

/* Imports are given the hash: './net.js' becomes './HASH-net.js'. */
static void put_script(struct out *o, const char *text)
{
    const char *p = text, *hit;
    while ((hit = strstr(p, "'./"))) {
        char name[NAME_BYTES] = "";
        size_t len = strcspn(hit + 3, ".'");
        if (len < sizeof name)
            memcpy(name, hit + 3, len);
        if (strncmp(hit + 3 + len, ".js'", 4) == 0)
            (void)file_find(name, "js");
        put(o, p, (size_t)(hit + 3 - p));
        puts_to(o, hash_text);
        puts_to(o, "-");
        p = hit + 3;
    }
    puts_to(o, p);
}

static void put_strings(struct out *o, enum language l)
{
    puts_to(o, "import { S } from './");
    puts_to(o, hash_text);
    puts_to(o, "-text.js'\nObject.assign(S, {\n");
    for (size_t i = 0; i < TEXTS; i++) {
        if (!texts[i].in_script)
            continue;
        puts_to(o, texts[i].key);
        puts_to(o, ": \"");
        for (const char *s = texts[i].text[l]; *s; s++) {
            if (*s == '"' || *s == '\\')
                puts_to(o, "\\");
            put(o, s, 1);
        }
        puts_to(o, "\",\n");
    }
    puts_to(o, "})\n");
}

static void emit(FILE *f, const char *name, const char *lang, const char *type, const struct out *o)
{
    fprintf(f, "{\"%s\", \"%s\", \"%s\", \"\\\"%016llx\\\"\", %zu,\n\"", name, lang, type,
            (unsigned long long)hash_of(o->p, o->len), o->len);
    for (size_t i = 0; i < o->len; i++) {
        unsigned char c = (unsigned char)o->p[i];
        if (c == '\n')
            fputs(i + 1 < o->len ? "\\n\"\n\"" : "\\n", f);
        else if (c == '"' || c == '\\' || c == '?' || c < 32 || c > 126)
            fprintf(f, "\\%03o", c);
        else
            fputc(c, f);
    }
    fputs("\"},\n", f);
}

static void emit_asset(FILE *f, const char *name, const char *type, const struct out *o)
{
    char full[2 * NAME_BYTES + 32];
    snprintf(full, sizeof full, "%s-%s", hash_text, name);
    emit(f, full, "", type, o);
}

int main(int argc, char **argv)
{
    FILE *f;
    const struct file *layout;
    if (argc < 3)
        die("embed OUT.c FILES...");
    for (int i = 2; i < argc; i++)
        load(argv[i]);
    for (size_t i = 0; i < TEXTS; i++)
        for (int l = 0; l < LANG_MAX; l++)
            hash_add(texts[i].text[l], strlen(texts[i].text[l]) + 1);
    snprintf(hash_text, sizeof hash_text, "%08llx", (unsigned long long)(hash ^ hash >> 32) & 0xFFFFFFFF);
    layout = file_find("layout", "html");
    f = fopen(argv[1], "wb");
    if (!f)
        die("%s can't be written", argv[1]);
    fputs("/* Written by tools/embed.c from web/hosted. */\n#include \"api/pages.h\"\n"
          "const struct page_file page_files[] = {\n",
          f);
    for (unsigned i = 0; i < files_count; i++) {
        struct out o = {0};
        char name[2 * NAME_BYTES];
        const struct file *file = &files[i];
        snprintf(name, sizeof name, "%.63s.%.15s", file->name, file->kind);
        if (strcmp(file->kind, "html") == 0)
            check_page(file);
        if (file->page) {
            for (int l = 0; l < LANG_MAX; l++) {
                o.len = 0;
                fill(&o, layout, file, (enum language)l);
                emit(f, file->name, languages[l].code, "text/html; charset=utf-8", &o);
            }
        } else if (strcmp(file->kind, "js") == 0) {
            check_script(file);
            put_script(&o, file->text);
            emit_asset(f, name, "text/javascript; charset=utf-8", &o);
        } else if (file != layout) {
            puts_to(&o, file->text);
            emit_asset(f, name, strcmp(file->kind, "css") == 0 ? "text/css; charset=utf-8" : "image/svg+xml", &o);
        }
        free(o.p);
    }
    check_texts();
    for (int l = 0; l < LANG_MAX; l++) {
        struct out o = {0};
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "strings-%s.js", languages[l].code);
        put_strings(&o, (enum language)l);
        emit_asset(f, name, "text/javascript; charset=utf-8", &o);
        free(o.p);
    }
    fputs("};\nconst size_t page_files_count = sizeof page_files / sizeof *page_files;\n", f);
    return fclose(f) == 0 ? 0 : 1;
}
