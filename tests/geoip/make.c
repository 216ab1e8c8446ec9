/* make.c - a small database of addresses for tests/integration/enrich.sh: make FILE NETWORK/BITS COUNTRY ASN ... ('-' and 0:
 * not there). */
#include "base/num.h"
#include "lib/mmdb_write.h"

int main(int argc, char **argv)
{
    static struct mmdb_writer w;
    mmdb_start(&w);
    for (int i = 2; i + 2 < argc; i += 3) {
        uint64_t bits = 0, asn = 0;
        char *slash = strchr(argv[i], '/');
        if (!slash || num_u64(slice_str(slash + 1), 1, 128, &bits) != KEER_OK ||
            num_u64(slice_str(argv[i + 2]), 0, UINT32_MAX, &asn) != KEER_OK)
            return 2;
        *slash = '\0';
        mmdb_add(&w, argv[i], (unsigned)bits, argv[i + 1][0] == '-' ? NULL : argv[i + 1], (uint32_t)asn);
    }
    mmdb_finish(&w, argv[1]);
    return 0;
}
