// payment.js - Secure Payment Confirmation: the browser itself shows payee and amount, and signs what it showed. Where it
// can't, the passkey signs a challenge that the daemon bound to the same data (passkey.js).
import { browserTells, bytes, toJSON } from './passkey.js'

const method = 'secure-payment-confirmation'

// The daemon's `payment` as the browser wants it (Secure Payment Confirmation section 4.1); its byte strings are base64url.
const request = ({ data, total }) => new PaymentRequest(
    [{ supportedMethods: method, data: { ...data, challenge: bytes(data.challenge), credentialIds: data.credentialIds.map(bytes) } }],
    { total: { label: data.payeeName ?? data.payeeOrigin, amount: total } })

export async function available() {
    try {
        if (window.PaymentRequest?.securePaymentConfirmationAvailability)
            return await PaymentRequest.securePaymentConfirmationAvailability() === 'available'
        return !!window.PaymentRequest && !!await new PaymentRequest([{ supportedMethods: method, data: {
            challenge: new Uint8Array(32), credentialIds: [new Uint8Array(16)], rpId: location.hostname, payeeOrigin: 'https://shop.example',
            instrument: { displayName: 'x', icon: 'data:image/png;base64,' } } }], { total: { label: 'x', amount: { currency: 'EUR', value: '1.00' } } }).canMakePayment()
    } catch {
        return false
    }
}

export const confirm = (payment) => browserTells(async () => {
    const response = await request(payment).show()
    await response.complete('success')
    return toJSON(response.details)
})
