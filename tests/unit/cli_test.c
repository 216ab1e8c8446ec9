/* cli_test.c - the frame of the commands: tables, command line, messages, files, progress, help and descriptions. */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/timefmt.h"
#include "cli/options.h"
#include "lib/test.h"

static int64_t fake_now;
static int64_t fake_clock(void) { return fake_now; }

/* A cli whose stdout and stderr are memory. */
struct rig {
    struct cli cli;
    struct cli_env env;
    char text[65536];
};

static void rig_start(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->env.out_fd = memfd_create("out", MFD_CLOEXEC);
    r->env.err_fd = memfd_create("err", MFD_CLOEXEC);
    r->env.now_us = fake_clock;
    ck_assert_int_ge(r->env.err_fd, 0);
}

static const char *rig_read(struct rig *r, int fd)
{
    ssize_t n = pread(fd, r->text, sizeof r->text - 1, 0);
    r->text[n > 0 ? n : 0] = '\0';
    return r->text;
}

static void rig_end(struct rig *r)
{
    cli_release(&r->cli);
    (void)close(r->env.out_fd);
    (void)close(r->env.err_fd);
}

#define WORDS_MAX 16
/* Parses "keer ..." cut at spaces; '~' stands for a space inside a word. */
static enum cli_exit rig_parse(struct rig *r, const char *line)
{
    static char text[1024];
    static char *argv[WORDS_MAX];
    int argc = 0;
    (void)snprintf(text, sizeof text, "%s", line);
    ck_ok(cli_init(&r->cli, &r->env));
    for (char *at = text; at && argc < WORDS_MAX - 1; argc++) {
        argv[argc] = at;
        at = strchr(at, ' ');
        if (at)
            *at++ = '\0';
        for (char *c = argv[argc]; *c; c++)
            *c = *c == '~' ? ' ' : *c;
    }
    argv[argc] = NULL;
    return cli_parse(&r->cli, argc, argv);
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

static void check_row(const struct cli_option *o)
{
    struct cli_value v;
    struct slice rest = slice_str(o->standard);
    ck_assert_msg(o->commands != 0 && o->name[0] && o->group[0] && o->help[0], "%s", o->name);
    ck_assert_msg(o->help[strlen(o->help) - 1] != '.', "--%s: the help is no sentence", o->name);
    ck_assert_msg((o->kind == OPT_FLAG) == (o->shown == NULL), "--%s: a value has a placeholder", o->name);
    ck_assert_msg(!(o->flags & OPT_REQUIRED) || !o->standard, "--%s: required and a default", o->name);
    ck_assert_msg(o->min <= o->max, "--%s: the range is empty", o->name);
    while (rest.p) {
        struct slice item = rest;
        if (o->flags & OPT_LIST)
            item = slice_cut(&rest, ',');
        else
            rest.p = NULL;
        ck_ok(option_value(o, item, &v));
    }
    if (o->kind == OPT_CHOICE) {
        struct slice words = slice_str(o->shown), word;
        bool literal;
        unsigned n = 0;
        for (; option_word(&words, &word, &literal); n++)
            ck_assert_msg(literal, "--%s: " SLICE_FMT, o->name, SLICE_ARG(word));
        ck_assert_uint_le(n, 16);
    }
}

START_TEST(tables_hold_together)
{
    for (unsigned i = 0; option_row(i); i++) {
        const struct cli_option *a = option_row(i);
        check_row(a);
        for (unsigned j = 0; j < i; j++) {
            const struct cli_option *b = option_row(j);
            bool meet = (a->commands & b->commands) != 0;
            ck_assert_msg(!meet || strcmp(a->name, b->name) != 0, "--%s has two rows in one command", a->name);
            ck_assert_msg(!meet || !a->letter || a->letter != b->letter, "-%c has two rows in one command", a->letter);
        }
    }
    for (unsigned c = 0; c < CMD_MAX; c++) {
        const struct cli_command_row *row = command_row((enum cli_command)c);
        ck_assert_uint_eq(command_find(slice_str(row->name)), c);
        ck_assert(row->min <= row->max);
        ck_assert_msg(strncmp(row->examples, "keer ", 5) == 0, "%s", row->name);
    }
    for (unsigned i = 0; exit_row(i); i++)
        ck_assert_int_eq(exit_row(i)->number, (int)i);
}
END_TEST

/* --- the command line ------------------------------------------------------------------------------------------- */

START_TEST(every_way_to_write_an_option)
{
    static const char *const lines[] = {
        "keer replay --policy=p.keer --out=x -qn7 --state-in s tx.csv -- --odd",
        "keer replay tx.csv --out x --policy p.keer -q -n 7 --state-in=s -- --odd",
        "keer -q replay -pp.keer -ox --limit=7 tx.csv --state-in s -- --odd",
        "keer --quiet replay -p p.keer -o x --limit 7 --state-in=s -- tx.csv --odd",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct rig r;
        rig_start(&r);
        ck_assert_msg(rig_parse(&r, lines[i]) == CLI_DONE, "%s: %s", lines[i], rig_read(&r, r.env.err_fd));
        ck_assert_int_eq(r.cli.command, CMD_replay);
        ck_assert_str_eq(cli_text(&r.cli, "policy"), "p.keer");
        ck_assert_str_eq(cli_text(&r.cli, "out"), "x");
        ck_assert(cli_given(&r.cli, "out") && !cli_given(&r.cli, "out-format"));
        ck_assert_uint_eq(cli_count(&r.cli, "limit", 0), 7);
        ck_assert_uint_eq(cli_count(&r.cli, "memory", 99), 99);
        ck_assert_uint_eq(cli_choice(&r.cli, "on-error"), 0);
        ck_assert(r.cli.quiet && !r.cli.json && cli_flag(&r.cli, "quiet") && !cli_flag(&r.cli, "no-model"));
        ck_assert_ptr_null(cli_text(&r.cli, "features"));
        ck_assert_uint_eq(r.cli.arg_count, 2);
        ck_assert_str_eq(r.cli.args[0], "tx.csv");
        ck_assert_str_eq(r.cli.args[1], "--odd");
        rig_end(&r);
    }
}
END_TEST

START_TEST(values_have_their_kinds)
{
    struct rig r;
    rig_start(&r);
    ck_assert_int_eq(rig_parse(&r, "keer train -p p --delay 1d12h --from 2018-07-25 --rate=0.3 --class-weight balanced -"),
                     CLI_DONE);
    ck_assert_int_eq(cli_duration(&r.cli, "delay", 0), 36 * US_HOUR);
    ck_assert_int_eq(cli_time(&r.cli, "from", 0), (int64_t)1532476800 * US_SECOND);
    ck_assert_int_eq(cli_time(&r.cli, "until", -1), -1);
    ck_assert(cli_number(&r.cli, "rate", 0) == 0.3);
    ck_assert_str_eq(cli_text(&r.cli, "class-weight"), "balanced");
    ck_assert(cli_number(&r.cli, "class-weight", -1) == -1);
    ck_assert_uint_eq(cli_count(&r.cli, "trees", 0), 500);
    ck_assert_str_eq(r.cli.args[0], "-");
    rig_end(&r);
    rig_start(&r);
    ck_assert_int_eq(rig_parse(&r, "keer train -p p --class-weight 2.5 x"), CLI_DONE);
    ck_assert_ptr_null(cli_text(&r.cli, "class-weight"));
    ck_assert(cli_number(&r.cli, "class-weight", -1) == 2.5);
    rig_end(&r);
    rig_start(&r);
    ck_assert_int_eq(rig_parse(&r, "keer evaluate --folds 2018-08-15,2018-08-08 --folds=2018-08-01"), CLI_DONE);
    ck_assert_uint_eq(cli_values(&r.cli, "folds"), 3);
    ck_assert_int_eq(cli_time_at(&r.cli, "folds", 2), (int64_t)1533081600 * US_SECOND);
    ck_slice_eq(cli_text_at(&r.cli, "folds", 1), SLICE("2018-08-08"));
    ck_assert_uint_eq(cli_values(&r.cli, "alerts-per-day"), 3); /* the default is a list as well */
    ck_assert_uint_eq(cli_count_at(&r.cli, "alerts-per-day", 1), 100);
    ck_assert_uint_eq(r.cli.arg_count, 0);
    rig_end(&r);
    rig_start(&r);
    ck_assert_int_eq(rig_parse(&r, "keer replay -p p --memory 4GiB --model a=x --model b=y i"), CLI_DONE);
    ck_assert_uint_eq(cli_count(&r.cli, "memory", 0), (uint64_t)4 << 30);
    ck_assert_uint_eq(cli_values(&r.cli, "model"), 2);
    ck_slice_eq(cli_text_at(&r.cli, "model", 1), SLICE("b=y"));
    rig_end(&r);
}
END_TEST

START_TEST(mistakes_are_told_with_a_way_out)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"keer repaly x", "there is no command 'repaly'; did you mean 'replay'?"},
        {"keer frobnicate", "there is no command 'frobnicate'"},
        {"keer --quiet", "a command is missing"},
        {"keer replay --polcy=x i", "there is no option --polcy; did you mean --policy?"},
        {"keer replay --pol=x i", "did you mean --policy?"},
        {"keer replay --trees 3 i", "--trees does not belong here but to keer train, keer evaluate"},
        {"keer --policy x replay i", "--policy does not belong here but to keer replay"},
        {"keer --format json replay -p x i", "--format goes without a command"},
        {"keer replay -z i", "there is no option -z"},
        {"keer replay i --policy", "--policy needs a value: --policy=FILE"},
        {"keer replay --policy --quiet i", "'--quiet' looks like an option"},
        {"keer replay --policy= i", "--policy has an empty value"},
        {"keer replay i", "--policy=FILE is missing"},
        {"keer replay -p a -p b i", "--policy stands twice"},
        {"keer replay -p a", "at least 1 argument is needed (INPUT...), 0 given"},
        {"keer check", "1 argument is needed (POLICY), 0 given"},
        {"keer check a b", "1 argument is needed (POLICY), 2 given"},
        {"keer diff a b", "at least 3 arguments are needed"},
        {"keer replay -p a --json=1 i", "--json takes no value"},
        {"keer train -p a --depth=99 i", "--depth=99: must be 1 to 16"},
        {"keer train -p a --depth=-1 i", "--depth=-1: must be a whole number"},
        {"keer train -p a --depth deep i", "--depth=deep: must be a whole number"},
        {"keer train -p a --depth 99999999999999999999999 i", "must be 1 to 16"},
        {"keer train -p a --rate=nan i", "must be a number"},
        {"keer train -p a --rate=2 i", "must be 0.0001 to 1"},
        {"keer train -p a --class-weight=heavy i", "must be a number, as 0.5 (none|balanced|NUMBER)"},
        {"keer train -p a --delay=week i", "must be a duration"},
        {"keer train -p a --from=2018-13-01 i", "must be a date or time, as 2018-07-25"},
        {"keer replay -p a --format=cvs i", "must be one of csv|ndjson|auto; did you mean 'csv'?"},
        {"keer replay -p a --memory=4X i", "must be a size in bytes"},
        {"keer replay -p a --memory=1K i", "must be 1M to 1T"},
        {"keer evaluate --alerts-per-day 50,,100", "--alerts-per-day has an empty value"},
        {"keer evaluate --alerts-per-day 50,0", "--alerts-per-day=0: must be 1 to 1000000000"},
        {"keer --describe=option", "did you mean 'options'?"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        rig_start(&r);
        ck_assert_msg(rig_parse(&r, cases[i].line) == CLI_USAGE, "%s", cases[i].line);
        const char *said = rig_read(&r, r.env.err_fd);
        ck_assert_msg(strstr(said, cases[i].says) && strncmp(said, "keer: ", 6) == 0 && strstr(said, "keer help"), "%s: %s",
                      cases[i].line, said);
        rig_end(&r);
    }
}
END_TEST

START_TEST(help_goes_before_other_mistakes)
{
    static const char *const lines[] = {"keer replay --help", "keer replay -h --nonsense", "keer --help replay",
                                        "keer --json replay -qh x"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct rig r;
        rig_start(&r);
        ck_assert_int_eq(rig_parse(&r, lines[i]), CLI_DONE);
        ck_assert_int_eq(r.cli.want, WANT_HELP);
        ck_assert_int_eq(r.cli.command, CMD_replay);
        rig_end(&r);
    }
    struct rig r;
    rig_start(&r);
    ck_assert_int_eq(rig_parse(&r, "keer --version"), CLI_DONE);
    ck_assert_int_eq(r.cli.want, WANT_VERSION);
    rig_end(&r);
    rig_start(&r);
    ck_assert_int_eq(rig_parse(&r, "keer -- check p"), CLI_DONE);
    ck_assert_int_eq(r.cli.command, CMD_check);
    rig_end(&r);
}
END_TEST

/* --- messages --------------------------------------------------------------------------------------------------- */

START_TEST(messages_say_where_and_stay_plain)
{
    struct rig r;
    rig_start(&r);
    ck_assert_int_eq(rig_parse(&r, "keer replay -p p i"), CLI_DONE);
    struct cli_place at = {.file = "tx.csv", .line = 17, .column = 23, .hint = "write it as 2018-07-25"};
    ck_assert_int_eq(
        cli_fail_at(&r.cli, CLI_BAD_INPUT, KEER_ESYNTAX, &at, "time: '%s' is not a time", "2018\x1B[2J\xC2\x9B\r\x7Fé"), 3);
    ck_assert_str_eq(rig_read(&r, r.env.err_fd), "keer: replay: tx.csv:17:23: time: '2018?[2J???é' is not a time\n"
                                                 "      write it as 2018-07-25\n");
    r.cli.quiet = true;
    ck_assert_int_eq(ftruncate(r.env.err_fd, 0), 0);
    cli_note(&r.cli, NULL, "nothing to see");
    ck_assert_str_eq(rig_read(&r, r.env.err_fd), "");
    rig_end(&r);

    rig_start(&r);
    ck_assert_int_eq(rig_parse(&r, "keer replay -p p --json i"), CLI_DONE);
    (void)cli_fail_at(&r.cli, CLI_BAD_INPUT, KEER_ESYNTAX, &at, "'\x1B\"' is no time");
    json_t *j = json_loads(rig_read(&r, r.env.err_fd), 0, NULL);
    ck_assert_ptr_nonnull(j);
    json_t *e = json_object_get(j, "error");
    ck_assert_str_eq(json_string_value(json_object_get(e, "code")), "SYNTAX");
    ck_assert_str_eq(json_string_value(json_object_get(e, "message")), "'\x1B\"' is no time");
    ck_assert_str_eq(json_string_value(json_object_get(e, "file")), "tx.csv");
    ck_assert_str_eq(json_string_value(json_object_get(e, "hint")), "write it as 2018-07-25");
    ck_assert_int_eq(json_integer_value(json_object_get(e, "line")), 17);
    ck_assert_int_eq(json_integer_value(json_object_get(e, "column")), 23);
    ck_assert_int_eq(json_integer_value(json_object_get(e, "exit")), 3);
    json_decref(j);
    rig_end(&r);

    rig_start(&r); /* --json counts even when it stands behind the mistake */
    ck_assert_int_eq(rig_parse(&r, "keer replay --bogus --json"), CLI_USAGE);
    ck_assert(strncmp(rig_read(&r, r.env.err_fd), "{\"error\":{\"code\":\"INVALID\",\"exit\":2,", 36) == 0);
    rig_end(&r);
    for (unsigned err = 1; err < KEER_ERR_MAX; err++)
        ck_assert(cli_exit_of((enum keer_err)err) >= CLI_USAGE && cli_exit_of((enum keer_err)err) < CLI_INTERNAL);
}
END_TEST

START_TEST(results_that_cannot_be_written_are_told)
{
    struct rig r;
    rig_start(&r);
    (void)close(r.env.out_fd);
    r.env.out_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(r.env.out_fd, 0);
    ck_assert_int_eq(rig_parse(&r, "keer check p"), CLI_DONE);
    io_out_puts(&r.cli.out, "result\n");
    ck_assert_int_eq(cli_finish(&r.cli, CLI_FINDINGS), CLI_IO);
    ck_assert_str_eq(rig_read(&r, r.env.err_fd), "keer: check: cannot write 'standard output': No space left on device\n");
    rig_end(&r);
}
END_TEST

/* --- help and descriptions -------------------------------------------------------------------------------------- */

START_TEST(help_fits_the_terminal)
{
    static const unsigned widths[] = {0, 60, 80, 200};
    for (size_t w = 0; w < ARRAY_LEN(widths); w++) {
        for (unsigned c = 0; c <= CMD_MAX; c++) {
            struct rig r;
            rig_start(&r);
            r.env.width = widths[w];
            ck_ok(cli_init(&r.cli, &r.env));
            struct buf b;
            buf_init(&b, CLI_TEXT_BYTES);
            help_print(&r.cli, (enum cli_command)c, &b);
            ck_assert_int_eq(b.err, KEER_OK);
            struct slice rest = buf_view(&b);
            while (rest.len) {
                struct slice line = slice_cut(&rest, '\n');
                ck_assert_msg(line.len <= 100, "too wide: " SLICE_FMT, SLICE_ARG(line));
                ck_assert_msg(line.len == 0 || line.p[line.len - 1] != ' ', "ends in a space: " SLICE_FMT, SLICE_ARG(line));
            }
            for (unsigned i = 0; option_row(i); i++) {
                char want[100];
                (void)snprintf(want, sizeof want, "--%s", option_row(i)->name);
                ck_assert(!(option_row(i)->commands & OPTION_ON(c)) || strstr(b.p, want));
            }
            buf_release(&b);
            rig_end(&r);
        }
    }
    struct buf b;
    buf_init(&b, 1000);
    text_wrap(&b, "one two three\nfour  five", 4, 4, 12);
    ck_assert_str_eq(b.p, "one two\n    three\n    four\n    five\n");
    buf_release(&b);
}
END_TEST

START_TEST(tables_print_as_markdown_json_and_man)
{
    static const char *const tables[] = {"commands",  "options",    "events", "attributes",
                                         "functions", "aggregates", "radar",  "errors"};
    struct buf b;
    buf_init(&b, CLI_TEXT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        describe_print(tables[i], "json", &b);
        ck_assert_int_eq(b.err, KEER_OK);
        json_t *j = json_loadb(b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(json_array_size(json_object_get(j, tables[i])) > 3, "%s: %s", tables[i], b.p);
        json_decref(j);
        buf_clear(&b);
        describe_print(tables[i], "md", &b);
        ck_assert(b.len > 200 && b.p[0] == '#' && b.p[b.len - 1] == '\n' && b.p[b.len - 2] != '\n');
        buf_clear(&b);
    }
    describe_print("man", "md", &b);
    ck_assert(strncmp(b.p, ".TH KEER 1 ", 11) == 0);
    for (unsigned c = 0; c < CMD_MAX; c++) {
        char want[100];
        (void)snprintf(want, sizeof want, "\n.SS %s \\- ", command_row((enum cli_command)c)->name);
        ck_assert_msg(strstr(b.p, want), "%s", want);
    }
    buf_release(&b);
}
END_TEST

/* --- files ------------------------------------------------------------------------------------------------------ */

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];
    (void)snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void folder_make(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/keer-cli-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int run(const char *const *args)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(args[0],
               (char *const *)(uintptr_t)args); /* execvp takes char *const[] for history's sake and changes nothing */
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void folder_remove(void)
{
    const char *const args[] = {"rm", "-rf", folder, NULL};
    ck_assert_int_eq(run(args), 0);
}

static void file_write(const char *path, const void *data, size_t len)
{
    struct io_out out;
    struct io_why why;
    ck_ok(io_out_open(&out, path, &why));
    io_out_put(&out, slice_of(data, len));
    ck_ok(io_out_commit(&out, &why));
}

static unsigned folder_count(void)
{
    const char *const args[] = {"sh", "-c", "exit $(ls -A \"$0\" | wc -l)", folder, NULL};
    return (unsigned)run(args);
}

START_TEST(files_are_read_in_chunks)
{
    struct io_why why;
    struct io_in in;
    struct slice chunk;
    folder_make();
    size_t len = 3 * IO_CHUNK_BYTES + 77, seen = 0;
    char *data = malloc(len);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)('a' + i % 23);
    file_write(in_folder("a"), data, len);
    ck_ok(io_open(&in, in_folder("a"), &why));
    ck_assert_uint_eq(in.size, len);
    do {
        ck_ok(io_read(&in, &chunk, &why));
        ck_assert(chunk.len <= IO_CHUNK_BYTES && memcmp(chunk.p, data + seen, chunk.len) == 0);
        seen += chunk.len;
    } while (chunk.len);
    ck_assert_uint_eq(seen, len);
    ck_assert_uint_eq(io_position(&in), len);
    ck_ok(io_read(&in, &chunk, &why)); /* the end stays the end */
    ck_assert_uint_eq(chunk.len, 0);
    io_close(&in);
    io_close(&in);

    struct buf b;
    buf_init(&b, len - 1);
    ck_err(io_slurp(&b, in_folder("a"), &why), KEER_ELIMIT);
    ck_assert_ptr_nonnull(strstr(why.text, "is longer than the 3145804 bytes"));
    buf_release(&b);
    file_write(in_folder("short"), "abc", 3);
    file_write(in_folder("empty"), "", 0);
    buf_init(&b, 100);
    ck_ok(io_slurp(&b, in_folder("short"), &why));
    ck_ok(io_slurp(&b, in_folder("empty"), &why));
    ck_ok(io_slurp(&b, in_folder("short"), &why));
    ck_assert_str_eq(b.p, "abcabc");
    ck_err(io_slurp(&b, in_folder("none"), &why), KEER_EIO);
    ck_assert_ptr_nonnull(strstr(why.text, "No such file or directory"));
    ck_err(io_slurp(&b, folder, &why), KEER_EIO);
    ck_assert_ptr_nonnull(strstr(why.text, "it is a folder"));
    ck_assert_str_eq(b.p, "abcabc");
    buf_release(&b);
    free(data);
    folder_remove();
}
END_TEST

START_TEST(xz_is_unpacked_and_damage_is_told)
{
    struct io_why why;
    struct io_in in;
    struct buf b, packed;
    const char *const pack[] = {"sh", "-c", "cd \"$0\" && seq 1 300000 > n && xz -k n && head -c 3000 n.xz > cut.xz", folder,
                                NULL};
    folder_make();
    if (run(pack) != 0) {
        printf("skipped: the program xz is not here\n");
        folder_remove();
        return;
    }
    buf_init(&b, 10u << 20);
    ck_ok(io_slurp(&b, in_folder("n.xz"), &why));
    ck_assert_uint_eq(b.len, 1988895);
    ck_assert(memcmp(b.p + b.len - 7, "300000\n", 7) == 0);
    ck_err(io_slurp(&b, in_folder("cut.xz"), &why), KEER_EFORMAT);
    ck_assert_ptr_nonnull(strstr(why.text, "damaged or cut off"));
    ck_assert_uint_eq(b.len, 1988895);
    ck_ok(io_open(&in, in_folder("n.xz"), &why)); /* left early: xz is stopped and waited for */
    struct slice chunk;
    ck_ok(io_read(&in, &chunk, &why));
    ck_assert(chunk.len > 0 && chunk.p[0] == '1');
    io_close(&in);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);

    char *path = getenv("PATH"), *keep = path ? strdup(path) : NULL;
    (void)setenv("PATH", folder, 1);
    ck_err(io_open(&in, in_folder("n.xz"), &why), KEER_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(why.text, "install xz-utils"));
    (void)setenv("PATH", keep ? keep : "", 1);
    free(keep);

    int pipe_ends[2], stdin_copy = dup(0);
    buf_init(&packed, 1u << 20);
    ck_assert_int_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
    ck_assert_int_eq(write(pipe_ends[1], "\xFD", 1) + write(pipe_ends[1], "7zXZ\0rest", 9), 10);
    (void)dup2(pipe_ends[0], 0);
    ck_err(io_open(&in, "-", &why), KEER_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(why.text, "standard input is packed by xz and comes through a pipe"));
    int file = open(in_folder("n.xz"), O_RDONLY | O_CLOEXEC); /* a redirected file is no pipe */
    (void)dup2(file, 0);
    buf_clear(&b);
    ck_ok(io_slurp(&b, "-", &why));
    ck_assert_uint_eq(b.len, 1988895);
    (void)dup2(stdin_copy, 0);
    (void)close(stdin_copy);
    (void)close(file);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    buf_release(&packed);
    buf_release(&b);
    folder_remove();
}
END_TEST

START_TEST(outputs_appear_whole_or_not_at_all)
{
    struct io_out out;
    struct io_why why;
    struct stat st;
    struct buf b;
    folder_make();
    buf_init(&b, 4u << 20);
    file_write(in_folder("x"), "old", 3);
    ck_assert_int_eq(chmod(in_folder("x"), 0600), 0);
    ck_ok(io_out_open(&out, in_folder("x"), &why));
    for (int i = 0; i < 100000; i++)
        io_out_puts(&out, "0123456789");
    ck_ok(io_slurp(&b, in_folder("x"), &why));
    ck_assert_str_eq(b.p, "old"); /* nothing is seen before the commit */
    io_out_abandon(&out);
    io_out_abandon(&out);
    ck_assert_uint_eq(folder_count(), 1);

    ck_assert_int_eq(symlink("x", in_folder("link")), 0);
    ck_ok(io_out_open(&out, in_folder("link"), &why));
    for (int i = 0; i < 100000; i++)
        io_out_puts(&out, "0123456789");
    ck_assert_uint_eq(out.written, 1000000);
    ck_ok(io_out_commit(&out, &why));
    buf_clear(&b);
    ck_ok(io_slurp(&b, in_folder("x"), &why)); /* through the link, with the old file's mode */
    ck_assert_uint_eq(b.len, 1000000);
    ck_assert_int_eq(stat(in_folder("x"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_uint_eq(folder_count(), 2);

    ck_err(io_out_open(&out, in_folder("no/x"), &why), KEER_EIO);
    ck_assert_ptr_nonnull(strstr(why.text, "cannot create"));
    ck_err(io_out_open(&out, folder, &why), KEER_EIO);
    ck_ok(io_out_open(&out, "/dev/null", &why));
    io_out_puts(&out, "gone");
    ck_ok(io_out_commit(&out, &why));
    ck_ok(io_out_open(&out, "/dev/full", &why));
    io_out_puts(&out, "no room");
    ck_err(io_out_commit(&out, &why), KEER_EIO);
    ck_assert_str_eq(why.text, "cannot write '/dev/full': No space left on device");

    int ends[2];
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    (void)close(ends[0]);
    ck_ok(io_out_fd(&out, ends[1], "the pipe"));
    for (int i = 0; i < 100000; i++)
        io_out_puts(&out, "0123456789");
    ck_assert_int_eq(out.err, KEER_EIO);
    ck_err(io_out_commit(&out, &why), KEER_EIO);
    ck_assert_str_eq(why.text, "cannot write 'the pipe': Broken pipe");
    (void)close(ends[1]);
    (void)signal(SIGPIPE, old);
    buf_release(&b);
    folder_remove();
}
END_TEST

/* --- progress --------------------------------------------------------------------------------------------------- */

START_TEST(progress_is_rare_and_goes_away)
{
    struct rig r;
    rig_start(&r);
    r.env.err_terminal = r.env.no_color = true;
    r.env.width = 40;
    ck_assert_int_eq(rig_parse(&r, "keer replay -p p i"), CLI_DONE);
    ck_assert(r.cli.progress.on);
    fake_now = 1000 * US_SECOND;
    progress_start(&r.cli.progress, "replay", "events");
    unsigned drawn = 0;
    for (uint64_t i = 1; i <= 2000; i++) { /* two seconds, a call each millisecond */
        fake_now += 1000;
        int64_t before = r.cli.progress.drawn_us;
        progress_at(&r.cli.progress, i * 400, i, 4000);
        drawn += r.cli.progress.drawn_us != before;
    }
    ck_assert_uint_ge(drawn, 14);
    ck_assert_uint_le(drawn, 16);
    (void)cli_fail(&r.cli, CLI_IO, KEER_EIO, "stop");
    const char *all = rig_read(&r, r.env.err_fd);
    ck_assert_msg(strstr(all, "\r\x1B[Kkeer: replay: stop\n"), "%s", all);
    for (const char *at = all; (at = strstr(at, "\x1B[K")); at++)
        ck_assert_uint_le(strcspn(at + 3, "\r\n"), 39);
    rig_end(&r);

    struct progress p = {.label = "train", .unit = "trees", .start_us = 0};
    struct buf b;
    buf_init(&b, 200);
    progress_text(&p, 4 * US_SECOND, 1234567, 50, 100, &b);
    ck_assert_str_eq(b.p, "train: 1,234,567 trees   50 %   308,642/s   0:04 left");
    buf_clear(&b);
    progress_text(&p, 4 * US_SECOND, 2, 0, 0, &b);
    ck_assert_str_eq(b.p, "train: 2 trees   0.5/s");
    buf_release(&b);

    static const char *const off[] = {"keer replay -p p -q i", "keer replay -p p --json i",
                                      "keer replay -p p --no-progress i"};
    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        rig_start(&r);
        r.env.err_terminal = true;
        ck_assert_int_eq(rig_parse(&r, off[i]), CLI_DONE);
        ck_assert(!r.cli.progress.on);
        progress_start(&r.cli.progress, "replay", "events");
        fake_now += US_HOUR;
        progress_at(&r.cli.progress, 1, 1, 1);
        ck_assert_str_eq(rig_read(&r, r.env.err_fd), "");
        rig_end(&r);
    }
}
END_TEST

START_TEST(color_follows_terminal_and_wish)
{
    static const struct {
        const char *line;
        bool terminal, no_color, want;
    } cases[] = {
        {"keer check p", true, false, true},
        {"keer check p", false, false, false},
        {"keer check p", true, true, false},
        {"keer check --color=always p", false, true, true},
        {"keer check --color never p", true, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        rig_start(&r);
        r.env.out_terminal = r.env.err_terminal = cases[i].terminal;
        r.env.no_color = cases[i].no_color;
        ck_assert_int_eq(rig_parse(&r, cases[i].line), CLI_DONE);
        ck_assert_msg(r.cli.color_out == cases[i].want && r.cli.color_err == cases[i].want, "%s", cases[i].line);
        rig_end(&r);
    }
}
END_TEST

/* --- no memory -------------------------------------------------------------------------------------------------- */

/* One pass with the n-th allocation failing; true when it ended as if memory were plenty. */
static bool pass_without(uint64_t n)
{
    struct rig r;
    static char w[][40] = {"keer", "evaluate", "--folds=2018-08-15,2018-08-08", "-q", "--html", "x"};
    char *argv[] = {w[0], w[1], w[2], w[3], w[4], w[5], NULL};
    struct io_why why;
    struct io_out out = {.fd = -1};
    struct buf b;
    bool good = false;
    rig_start(&r);
    buf_init(&b, CLI_TEXT_BYTES);
    oom_arm(n, false);
    enum keer_err err = cli_init(&r.cli, &r.env);
    if (err != KEER_OK)
        goto out;
    if (cli_parse(&r.cli, (int)ARRAY_LEN(argv) - 1, argv) != CLI_DONE) {
        ck_assert_ptr_nonnull(strstr(rig_read(&r, r.env.err_fd), "memory"));
        goto out;
    }
    help_print(&r.cli, CMD_train, &b);
    describe_print("man", "md", &b);
    if (b.err != KEER_OK)
        goto out;
    buf_clear(&b);
    if (io_out_open(&out, in_folder("sweep"), &why) != KEER_OK)
        goto out;
    io_out_puts(&out, "kept");
    if (io_out_commit(&out, &why) != KEER_OK)
        goto out;
    good = io_slurp(&b, in_folder("sweep"), &why) == KEER_OK;
    good = good && cli_fail(&r.cli, CLI_IO, KEER_EIO, "told") == CLI_IO && oom_count() < n;
out:
    oom_reset();
    io_out_abandon(&out);
    buf_release(&b);
    rig_end(&r);
    return good;
}

START_TEST(every_allocation_may_fail)
{
    uint64_t n = 1;
    folder_make();
    while (!pass_without(n))
        ck_assert_uint_lt(++n, 2000);
    ck_assert_uint_gt(n, 20);
    ck_assert_uint_eq(folder_count(), 1);
    folder_remove();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli");
    TCase *t = tcase_create("cli");
    tcase_add_test(t, tables_hold_together);
    tcase_add_test(t, every_way_to_write_an_option);
    tcase_add_test(t, values_have_their_kinds);
    tcase_add_test(t, mistakes_are_told_with_a_way_out);
    tcase_add_test(t, help_goes_before_other_mistakes);
    tcase_add_test(t, messages_say_where_and_stay_plain);
    tcase_add_test(t, results_that_cannot_be_written_are_told);
    tcase_add_test(t, help_fits_the_terminal);
    tcase_add_test(t, tables_print_as_markdown_json_and_man);
    tcase_add_test(t, files_are_read_in_chunks);
    tcase_add_test(t, xz_is_unpacked_and_damage_is_told);
    tcase_add_test(t, outputs_appear_whole_or_not_at_all);
    tcase_add_test(t, progress_is_rare_and_goes_away);
    tcase_add_test(t, color_follows_terminal_and_wish);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return test_main(s);
}
