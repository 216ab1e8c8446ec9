/* pages.h - the hosted pages: sign-up, sign-in, challenge, security centre, recovery. Files of web/hosted, in the program.
 *
 * Invariants
 * 1. A page is the same for everybody, but for its language and the service's name (--service-name): whose it is, it learns
 * from the JSON paths, which want a session. So a page can be kept by caches that ask again (ETag), and shows nothing to who
 * is not signed in.
 * 2. Every page has the policy of page_headers: it loads from this host alone, runs no inline script, is in no frame, and
 *    takes no text for markup (Trusted Types).
 * 3. What has a hash in its name (tools/embed.c) never changes, and may be kept for ever.
 * 4. The language is that of ?lang=, then of the cookie keer-lang, then of Accept-Language, then English. ?lang= sets the
 *    cookie, which says a language and nothing else; the pages' scripts read it.
 */
#ifndef API_PAGES_H
#define API_PAGES_H
#include "base/buf.h"

#define PAGE_SERVICE '\032' /* stands in a page where the service's name goes */

struct page_file {    /* rows of build/gen/pages.c */
    const char *name; /* of a page: the first segment of its path; else HASH-NAME.EXTENSION */
    const char *lang; /* "" of what is no page */
    const char *type, *etag;
    size_t len;
    const char *body;
};
extern const struct page_file page_files[];
extern const size_t page_files_count;

/* The file for a page in a language, or for an asset with lang ""; NULL. */
const struct page_file *page_find(struct slice name, struct slice lang);
/* The name, hash included, of what is served below /assets for "style.css". It is there: the build put it there. */
const char *page_asset(const char *name);
/* A page with the name of the service in it, escaped. */
void page_print(const struct page_file *f, struct slice service, struct buf *out);
/* Pure. A language of the pages for Accept-Language (RFC 9110 section 12.5.4): the one with the greatest q, the first of
 * equals; "en" when none fits. */
const char *page_language(struct slice accept);
/* One of the pages' languages by its code; NULL. */
const char *page_language_code(struct slice code);
#endif
