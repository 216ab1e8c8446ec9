/* totp_qr.c - a text as a QR code (ISO/IEC 18004), by libqrencode, as SVG. */
#include <errno.h>
#include <qrencode.h>

#include "stepup/totp.h"

#define QUIET 4 /* modules around it that stay light: section 6.3.8 */

enum keer_err totp_qr(struct slice text, struct buf *out)
{
    if (text.len > TOTP_URI_BYTES)
        return KEER_ELIMIT;
    /* Level M: 15 % of it may be dirt or glare. Version 0: the smallest that holds the text. */
    QRcode *qr = QRcode_encodeData((int)text.len, (const unsigned char *)text.p, 0, QR_ECLEVEL_M);
    if (!qr)
        return errno == ERANGE ? KEER_ELIMIT : errno == EINVAL ? KEER_EINVALID : KEER_ENOMEM;
    int size = qr->width + 2 * QUIET;
    buf_fmt(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">"
            "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/><path fill=\"#000\" d=\"",
            size, size, size, size);
    for (int y = 0; y < qr->width; y++)
        for (int x = 0; x < qr->width; x++) {
            int run = 0; /* dark modules that follow each other are one bar */
            while (x + run < qr->width && qr->data[y * qr->width + x + run] & 1)
                run++;
            if (run)
                buf_fmt(out, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, run, run);
            x += run;
        }
    buf_puts(out, "\"/></svg>");
    memset(qr->data, 0, (size_t)qr->width * (size_t)qr->width); /* it holds the secret */
    QRcode_free(qr);
    return out->err;
}
