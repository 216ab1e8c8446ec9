/* ndjson_fuzz.c - NDJSON in arbitrary chunks: must give what the same bytes give at once. The first byte chooses options and
 * chunks. */
#include "lib/input_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_input(INPUT_NDJSON, data, size); }
