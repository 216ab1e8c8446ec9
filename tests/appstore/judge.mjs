// judge.mjs - Apple's own verifier reads every line of a file of cases (make.c), with the root of the tests: it must take
// those that we take, and where it takes what we refuse, the line must say so.
//     node judge.mjs FOLDER BUNDLE
import { readFileSync } from 'node:fs';
import { Environment, SignedDataVerifier } from '@apple/app-store-server-library';

const [folder, bundle] = process.argv.slice(2);
const root = readFileSync(`${folder}/root.der`);
const verifier = new SignedDataVerifier([root], /* online checks */ false, Environment.PRODUCTION, bundle, 41234);
let agree = 0, stricter = 0, failed = 0;
for (const line of readFileSync(`${folder}/cases`, 'utf8').trimEnd().split('\n')) {
    const [name, ours, apple, jws] = line.split('\t');
    let taken = true, why = '';
    try {
        const n = await verifier.verifyAndDecodeNotification(jws);
        if (n.data?.signedTransactionInfo) await verifier.verifyAndDecodeTransaction(n.data.signedTransactionInfo);
        if (n.data?.signedRenewalInfo) await verifier.verifyAndDecodeRenewalInfo(n.data.signedRenewalInfo);
    } catch (e) {
        taken = false;
        why = `status ${e.status ?? e.message}`;
    }
    if (taken !== (apple === 'yes')) {
        failed++;
        console.log(`not ok - ${name}: Apple's library ${taken ? 'takes it' : `refuses it (${why})`}, we say ${ours}`);
    } else if (taken === (ours === 'genuine')) {
        agree++;
    } else {
        stricter++; // make.c's lines say 'yes' of these on purpose; that we take what Apple refuses is never one of them
        if (!taken) failed++;
    }
}
console.log(`${failed ? 'not ok' : 'ok'} - ${agree} cases judged alike, ${stricter} refused by us alone`);
process.exit(failed ? 1 : 0);
