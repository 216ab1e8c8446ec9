/* banned.h - functions that do not compile here, with what to use instead. Included by base.h last. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H
#define KEER_BANNED(func) sorry_##func##_is_banned_see_banned_h
#undef strcpy
#define strcpy(d, s) KEER_BANNED(strcpy) /* buf_put, memcpy with a checked length */
#undef strcat
#define strcat(d, s) KEER_BANNED(strcat) /* buf_put */
#undef strncpy
#define strncpy(d, s, n) KEER_BANNED(strncpy) /* memcpy with a checked length */
#undef strncat
#define strncat(d, s, n) KEER_BANNED(strncat) /* buf_put */
#undef sprintf
#define sprintf(...) KEER_BANNED(sprintf) /* buf_fmt, snprintf */
#undef vsprintf
#define vsprintf(...) KEER_BANNED(vsprintf) /* buf_vfmt */
#undef strtok
#define strtok(s, d) KEER_BANNED(strtok) /* slice_cut */
#undef atoi
#define atoi(s) KEER_BANNED(atoi) /* num_i64 */
#undef atol
#define atol(s) KEER_BANNED(atol) /* num_i64 */
#undef atof
#define atof(s) KEER_BANNED(atof) /* num_f64 */
#undef localtime
#define localtime(t) KEER_BANNED(localtime) /* timefmt.h: everything is UTC */
#undef gmtime
#define gmtime(t) KEER_BANNED(gmtime) /* timefmt.h */
#undef ctime
#define ctime(t) KEER_BANNED(ctime) /* timefmt.h */
#undef gets
#define gets(s) KEER_BANNED(gets)
#undef alloca
#define alloca(n) KEER_BANNED(alloca) /* arena_alloc, a bounded array */
#undef rand
#define rand() KEER_BANNED(rand) /* rand.h, seeded */
#undef srand
#define srand(s) KEER_BANNED(srand)
#endif
