// emulator_seed.mjs FOLDER URL - sixty charges at once, and what came back of each: the seed alone decides it.
import { AlipaySdk } from 'alipay-sdk';
import { admin, file, url, wallets } from './emulator_kit.mjs';

const sdk = new AlipaySdk({ appId: wallets.alipay.app_id, gateway: wallets.alipay.url, privateKey: file('alipay-app.pem'), keyType: 'PKCS8', alipayPublicKey: file('alipay-public.pem'), timeout: 60000 });
const page = sdk.pageExecute('alipay.user.agreement.page.sign', 'GET', { bizContent: { external_agreement_no: 'a1', personal_product_code: 'GENERAL_WITHHOLDING_P', sign_scene: 'INDUSTRY|DIGITAL_MEDIA', access_params: { channel: 'QRCODE' }, external_logon_id: 'x' } });
await admin('faults'); // it answers at all
const { ref } = await admin('sign', { url: page });
const one = async (n) => {
    const r = await sdk.exec('alipay.trade.pay', { bizContent: { out_trade_no: n, total_amount: '1.00', subject: 'x', product_code: 'GENERAL_WITHHOLDING', agreement_params: { agreement_no: ref } } }, { validateSign: true }).catch((e) => ({ code: /验签/.test(e.message) ? 'unsigned' : e.status ? `http ${e.status}` : 'dropped' }));
    return `${n} ${r.code} ${r.subCode ?? ''} ${r.tradeNo ?? ''} ${r.totalAmount ?? ''}`;
};
console.log((await Promise.all(Array.from({ length: 60 }, (_, i) => one(`s${i}`)))).join('\n'));
process.exit(url ? 0 : 1);
