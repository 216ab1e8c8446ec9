/* limits.h - the maximum of every buffer, list, loop and queue, in one place. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define LIMIT_LINE_BYTES (1u << 20)    /* one line of NDJSON or CSV */
#define LIMIT_CSV_COLUMNS 512          /* columns of a CSV file */
#define LIMIT_BATCH_LINES 10000        /* lines of one request */
#define LIMIT_BATCH_BYTES (32u << 20)  /* the answers of one request of many lines */
#define LIMIT_JSON_DEPTH 32            /* nesting of a JSON event, mapping or card */
#define LIMIT_JSON_KEYS 1024           /* keys of one object of a JSON event */
#define LIMIT_JSON_MEMBERS 512         /* members of the objects of a request that are open at once */
#define LIMIT_TEXT_BYTES 4096          /* one text attribute of an event */
#define LIMIT_ATTRS 64                 /* attributes of one event that a policy can see */
#define LIMIT_POLICY_BYTES (1u << 20)  /* a policy text */
#define LIMIT_POLICY_ERRORS 20         /* messages printed in one run */
#define LIMIT_POLICY_DEPTH 100         /* nesting of an expression */
#define LIMIT_NAME_BYTES 64            /* an identifier */
#define LIMIT_WINDOWS 512              /* windows of a policy, inline ones included */
#define LIMIT_KEYS 32                  /* kinds of entity of a policy */
#define LIMIT_KEY_PARTS 4              /* attributes of a composite key */
#define LIMIT_KEY_COLUMNS 96           /* columns of one remembered event */
#define LIMIT_FILTERS 64               /* distinct filters of one kind of entity */
#define LIMIT_RULES 512                /* rules of a policy */
#define LIMIT_LETS 512                 /* named sub-expressions of a policy */
#define LIMIT_LISTS 512                /* lists of a policy */
#define LIMIT_LIST_ITEMS 2000000       /* items of one list */
#define LIMIT_LIST_BYTES (256u << 20)  /* a list file */
#define LIMIT_MODELS 4                 /* models of a policy */
#define LIMIT_FEATURES 256             /* features of a model */
#define LIMIT_TREES 10000              /* trees of a model */
#define LIMIT_TREE_NODES (1u << 16)    /* nodes of one tree */
#define LIMIT_TREE_DEPTH 32            /* depth of one tree, bounds the path of TreeSHAP */
#define LIMIT_CATEGORIES 65536         /* categories of one feature */
#define LIMIT_MODEL_BYTES (256u << 20) /* a model file */
#define LIMIT_MAPPING_BYTES (1u << 20) /* a mapping file */
#define LIMIT_REGISTERS 4096           /* registers of a compiled policy */
#define LIMIT_CODE 65536               /* instructions of a compiled policy */
#define LIMIT_OPTION_VALUES 10000      /* values of options on one command line */
#define LIMIT_DATASET_ROWS 200000000u  /* rows of a data set that a replay computes */
#define LIMIT_DAYS 36600               /* days of a protocol or a metric: 100 years */
#define LIMIT_CALIBRATION_KNOTS 200    /* knots of an isotonic calibration */
#define LIMIT_CARD_BYTES (1u << 20)    /* a model card */
#define LIMIT_REPORT_FOLDS 64          /* folds shown in a report card */
#define LIMIT_REPORT_BYTES (16u << 20) /* a report card as text, JSON or HTML */
#define LIMIT_MODEL_VALUES (1u << 25)  /* JSON values in a model file */
#define LIMIT_MODEL_KEYS 512           /* keys of one object in a model file */
#define LIMIT_MODEL_MEMORY (1u << 30)  /* bytes of a model in memory */
#define LIMIT_MODEL_LEAF 1e30          /* |leaf|: the sum over LIMIT_TREES trees stays finite */
#define LIMIT_CALIBRATION_POINTS 4096  /* points of an isotonic calibration */
#define LIMIT_WEBHOOKS 64              /* webhooks of a daemon, each with a transfer under way */
#define LIMIT_RETRIES 20               /* tries of a delivery after the first */
#define LIMIT_STREAMS 1000             /* clients of /v1/events */
#define LIMIT_CERT_BYTES 16384         /* a certificate of a chain, as DER */
#define LIMIT_CERTS_BYTES (8u << 20)   /* a file of trusted certificates */

#endif
