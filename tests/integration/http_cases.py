#!/usr/bin/env python3
"""http_cases.py KEER - bad input, as bytes on a socket, against the real daemon: a table of cases, each with all that must come
back. An answer is its status, for a problem with its code; `lib` is libmicrohttpd's own page, for what our code never sees; then
the connection is `closed` or `open`. A request inside another that is answered as one is an answer too many."""
import atexit, concurrent.futures, json, os, re, resource, shutil, socket, subprocess, sys, tempfile, time

KEER = sys.argv[1]
QUIET = .4 # an answer that has not come by then does not come
failed = False
EVENT = b'{"id":"%s","time":1538395200,"type":"purchase","account":"liu"}'


def ok(good, name):
    global failed
    failed = failed or not good
    print(('ok - ' if good else 'not ok - ') + name, flush=True)


class Daemon:
    def __init__(self, folder, *options):
        self.log = open(os.path.join(folder, 'log'), 'w+b')
        self.process = subprocess.Popen([KEER, 'serve', '--policy', 'policies/store.keer', '--database', os.path.join(folder, 'k.db'),
                                         '--listen', '127.0.0.1:0', *options], stderr=self.log,
                                        env=dict(os.environ, KEER_ALLOW_ROOT='yes'))
        atexit.register(self.process.kill)
        for _ in range(3000):
            text = open(self.log.name).read()
            found = re.search(r'listens on \S+://127\.0\.0\.1:(\d+) ', text)
            if found and 'decided again' in text:
                self.port = int(found.group(1))
                return
            time.sleep(.01)
        raise SystemExit('not ok - the daemon does not start: ' + text)

    def connect(self):
        s = socket.create_connection(('127.0.0.1', self.port), 10)
        s.settimeout(5)
        return s

    def end(self):
        self.process.terminate()
        code = self.process.wait(60)
        log = open(self.log.name).read()
        return code == 0 and 'ERROR' not in log and 'runtime error' not in log


def answers(data, head_only):
    """The answers of a stream, as words, and the body of the last."""
    words, body = [], b''
    while data:
        head, end, rest = data.partition(b'\r\n\r\n')
        first = re.match(rb'HTTP/1\.[01] (\d{3}) ', head)
        if not end or not first:
            return words + ['no answer: %r' % data[:60]], body
        length = re.search(rb'(?i)\r\ncontent-length: *(\d+)', head)
        n = int(length.group(1)) if length and not head_only else 0
        body, data = rest[:n], rest[n:]
        words.append(first.group(1).decode())
        if b'no-store' not in head and b'HTTP/1.' not in data:
            data = b'' # the pages of libmicrohttpd 0.9.75 are longer than their Content-Length says
        if b'application/problem+json' in head:
            words.append(json.loads(body)['code'])
        elif int(words[-1]) >= 400:
            words.append('lib')
    return words, body


def talk(daemon, parts, pause=0.0, first=5.0, head_only=False):
    """Sends, and reads until the end of the stream or nothing comes any more."""
    s, data, end = daemon.connect(), b'', 'closed'
    try:
        for part in parts:
            s.sendall(part)
            time.sleep(pause)
    except OSError:
        pass # it does not want to read on; what it said is still there
    s.settimeout(first)
    try:
        while (piece := s.recv(65536)):
            data += piece
            s.settimeout(QUIET)
    except socket.timeout:
        end = 'open'
    except OSError:
        pass
    s.close()
    words, body = answers(data, head_only)
    return ' '.join(words + [end]), body


def run(daemon, key, revoked):
    auth = b'Authorization: Bearer ' + key + b'\r\n'
    host = b'Host: x\r\n'

    def post(body, *more, type=b'application/json', path=b'/v1/decisions', length=None, version=b'HTTP/1.1'):
        n = b'Content-Length: %d\r\n' % (len(body) if length is None else length)
        return b'POST ' + path + b' ' + version + b'\r\n' + host + auth + b'Content-Type: ' + type + b'\r\n' + b''.join(more) + n + b'\r\n' + body

    def chunked(body, *more):
        return b'POST /v1/decisions HTTP/1.1\r\n' + host + auth + b'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n' + \
            b''.join(more) + b'\r\n' + body

    def get(path, *more, version=b'HTTP/1.1', method=b'GET'):
        return method + b' ' + path + b' ' + version + b'\r\n' + host + b''.join(more) + b'\r\n'
    count = [0]

    def event():
        count[0] += 1
        return EVENT % (b'h%d' % count[0])
    inner = post(event())  # must never be answered when it stands where a body is
    deep = b'{"id":"d","time":1,"type":"purchase","a":' + b'[' * 33 + b']' * 33 + b'}'
    one = event()
    table = [
        ('a decision', post(event()), '200 open'),
        ('keep-alive and pipelining', get(b'/healthz') * 2 + post(event()) + get(b'/healthz'), '200 200 200 200 open'),
        ('nothing is answered behind a refusal at the head', get(b'/healthz') + get(b'/none') + get(b'/healthz'), '200 404 NOT_FOUND closed'),
        ('HEAD', get(b'/healthz', method=b'HEAD'), '200 open'),
        ('HTTP/1.0', get(b'/healthz', version=b'HTTP/1.0'), '200 closed'),
        ('HTTP/1.0 without Host', b'GET /healthz HTTP/1.0\r\n\r\n', '200 closed'),
        ('HTTP/0.9', b'GET /healthz\r\n\r\n', '400 lib closed'),
        ('HTTP/2 preface', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '505 lib closed'),
        ('no HTTP at all', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'x' * 200, 'open'),
        ('HTTP/1.2', get(b'/healthz', version=b'HTTP/1.2'), '200 open'),
        ('HTTP/3.9', get(b'/healthz', version=b'HTTP/3.9'), '505 lib closed'),
        ('no Host', b'GET /healthz HTTP/1.1\r\n\r\n', '400 lib closed'),
        ('two Hosts', get(b'/healthz', host), '400 BAD_REQUEST closed'),
        ('absolute-form', get(b'http://x/healthz'), '200 open'),
        ('absolute-form without a path', get(b'http://x'), '404 NOT_FOUND closed'),
        ('asterisk-form', get(b'*', method=b'OPTIONS'), '404 NOT_FOUND closed'),
        ('authority-form', get(b'x:80', method=b'CONNECT'), '404 NOT_FOUND closed'),
        ('an unknown method', get(b'/healthz', method=b'BREW'), '405 WRONG_METHOD closed'),
        ('TRACE', get(b'/healthz', method=b'TRACE'), '405 WRONG_METHOD closed'),
        ('a method in small letters', get(b'/healthz', method=b'get'), '405 WRONG_METHOD closed'),
        ('..', get(b'/v1/../healthz'), '404 NOT_FOUND closed'),
        ('escaped ..', get(b'/v1/%2e%2e/healthz'), '404 NOT_FOUND closed'),
        ('..;', get(b'/v1/..;/healthz'), '404 NOT_FOUND closed'),
        ('an escaped path', get(b'/%68ealthz'), '404 NOT_FOUND closed'),
        ('double slash', get(b'//healthz'), '404 NOT_FOUND closed'),
        ('a backslash', get(b'\\healthz'), '404 NOT_FOUND closed'),
        ('.. as an id', get(b'/v1/decisions/..', auth), '404 NOT_FOUND open'),
        ('an id that is cut', get(b'/v1/decisions/%4', auth), '404 NOT_FOUND closed'),
        ('an id with NUL', get(b'/v1/decisions/%00', auth), '404 NOT_FOUND open'),
        ('an id of 5,000 bytes', get(b'/v1/decisions/' + b'a' * 5000, auth), '404 NOT_FOUND closed'),
        ('a query', get(b'/healthz?a=b'), '200 open'),
        ('no key', get(b'/v1/decisions/a'), '401 NO_KEY closed'),
        ('a wrong key', get(b'/v1/decisions/a', auth[:-3] + b'x\r\n'), '401 NO_KEY closed'),
        ('a key in Basic', get(b'/v1/decisions/a', auth.replace(b'Bearer', b'Basic')), '401 NO_KEY closed'),
        ('a key of 8,000 bytes', get(b'/v1/decisions/a', b'Authorization: Bearer ' + b'k' * 8000 + b'\r\n'), '401 NO_KEY closed'),
        ('a revoked key', get(b'/v1/decisions/a', b'Authorization: Bearer ' + revoked + b'\r\n'), '401 NO_KEY closed'),
        ('no type', post(event()).replace(b'Content-Type: application/json\r\n', b''), '415 WRONG_TYPE closed'),
        ('a wrong type', post(event(), type=b'text/plain'), '415 WRONG_TYPE closed'),
        ('a form', post(event(), type=b'application/x-www-form-urlencoded'), '415 WRONG_TYPE closed'),
        ('a wrong charset', post(event(), type=b'application/json; charset=utf-16'), '415 WRONG_TYPE closed'),
        ('charset utf-8', post(event(), type=b'application/json;charset="UTF-8"'), '200 open'),
        ('too deep', post(deep), '400 BAD_EVENT open'),
        ('a key twice', post(b'{"id":"k","id":"l","time":1,"type":"purchase"}'), '400 BAD_EVENT open'),
        ('invalid UTF-8', post(b'{"id":"\xff\xfe","time":1,"type":"purchase"}'), '400 BAD_EVENT open'),
        ('an overlong form', post(b'{"id":"\xc0\xaf","time":1,"type":"purchase"}'), '400 BAD_EVENT open'),
        ('a lone surrogate', post(b'{"id":"\\ud800","time":1,"type":"purchase"}'), '400 BAD_EVENT open'),
        ('NUL in JSON', post(b'{"id":"a\x00","time":1,"type":"purchase"}'), '400 BAD_EVENT open'),
        ('1e3 as an amount', post(b'{"id":"m","time":1,"type":"purchase","amount":1e3,"currency":"EUR"}'), '400 BAD_EVENT open'),
        ('2^63 as an amount', post(b'{"id":"m","time":1,"type":"purchase","amount":9223372036854775808,"currency":"EUR"}'), '400 BAD_EVENT open'),
        ('an empty body', post(b''), '400 BAD_EVENT open'),
        ('a body of 70,000', post(b' ' * 70000), '413 TOO_LARGE closed'),
        ('a body said to be 2^64 - 1', post(b'', length=2**64 - 1), '413 TOO_LARGE closed'),
        ('a body said to be 2^64', post(b'', length=2**64), '413 lib closed'),
        ('chunks of 70,000', chunked(b'11170\r\n' + b' ' * 70000 + b'\r\n0\r\n\r\n'), '413 TOO_LARGE open'),
        ('chunks without end', chunked(b'10000\r\n' + b' ' * 65536 + b'\r\n'), 'open'),
        ('a truncated body', post(one, length=len(one) + 10), 'open'),
        ('negative length', post(b'', b'Content-Length: -1\r\n'), '400 lib closed'),
        ('a length with a sign', post(b'').replace(b'Length: 0', b'Length: +0'), '400 lib closed'),
        ('a hexadecimal length', post(b'').replace(b'Length: 0', b'Length: 0x0'), '400 lib closed'),
        ('Content-Length with Transfer-Encoding', chunked(b'0\r\n\r\n' + inner, b'Content-Length: %d\r\n' % (5 + len(inner))), '400 BAD_REQUEST closed'),
        ('Transfer-Encoding with Content-Length', post(b'0\r\n\r\n' + inner, b'Transfer-Encoding: chunked\r\n'), '400 BAD_REQUEST closed'),
        ('two Content-Lengths', post(inner, b'Content-Length: 0\r\n'), '400 BAD_REQUEST closed'),
        ('two equal Content-Lengths', post(inner, b'Content-Length: %d\r\n' % len(inner)), '400 BAD_REQUEST closed'),
        ('a list of Content-Lengths', post(inner).replace(b'Content-Length: %d\r\n\r\nPOST' % len(inner), b'Content-Length: 0, %d\r\n\r\nPOST' % len(inner)), '400 lib closed'),
        ('Content-Length with a space before the colon', post(inner).replace(b'\r\nContent-Length: %d' % len(inner), b'\r\nContent-Length : %d' % len(inner), 1), '400 BAD_REQUEST closed'),
        ('Transfer-Encoding with a space before the colon', chunked(b'0\r\n\r\n').replace(b'Encoding:', b'Encoding :'), '400 BAD_REQUEST closed'),
        ('Transfer-Encoding: xchunked', chunked(b'0\r\n\r\n').replace(b' chunked', b' xchunked'), '400 BAD_REQUEST closed'),
        ('Transfer-Encoding: gzip, chunked', chunked(b'0\r\n\r\n').replace(b' chunked', b' gzip, chunked'), '400 BAD_REQUEST closed'),
        ('Transfer-Encoding: identity', chunked(b'').replace(b' chunked', b' identity'), '400 BAD_REQUEST closed'),
        ('Transfer-Encoding twice', chunked(b'0\r\n\r\n' + inner, b'Transfer-Encoding: identity\r\n'), '400 BAD_REQUEST closed'),
        ('Transfer-Encoding after a tab', chunked(b'0\r\n\r\n').replace(b': chunked', b':\x0bchunked'), '400 BAD_REQUEST closed'),
        ('Transfer-Encoding in HTTP/1.0', chunked(b'0\r\n\r\n').replace(b'HTTP/1.1', b'HTTP/1.0'), '400 BAD_REQUEST closed'),
        ('Transfer-Encoding folded', chunked(b'0\r\n\r\n').replace(b'Encoding: ', b'Encoding:\r\n '), '400 BAD_REQUEST closed'),
        ('a folded header', get(b'/healthz', b'X: a\r\n b\r\n'), '400 BAD_REQUEST closed'),
        ('a folded length', post(inner).replace(b'Length: ', b'Length:\r\n ', 1), '400 BAD_REQUEST closed'),
        ('chunks', chunked(b'%x\r\n%s\r\n0\r\n\r\n' % (len(one), one)), '200 open'),
        ('a chunk extension', chunked(b'%x;a=b\r\n%s\r\n0\r\n\r\n' % (len(one), one)), '200 open'),
        ('a bad chunk size', chunked(b'xyz\r\n\r\n'), '400 lib closed'),
        ('a negative chunk size', chunked(b'-5\r\nhello\r\n0\r\n\r\n'), '400 lib closed'),
        ('a chunk size of 0x5', chunked(b'0x5\r\nhello\r\n0\r\n\r\n'), '400 lib closed'),
        ('a chunk size beyond 64 bits', chunked(b'10000000000000005\r\nhello\r\n0\r\n\r\n'), '413 lib closed'),
        ('a chunk that is longer than it says', chunked(b'2\r\nhello\r\n0\r\n\r\n'), '400 lib closed'),
        ('chunks with bare LF', chunked(b'%x\n%s\n0\n\n' % (len(one), one)), '200 open'),
        ('a head with bare LF', get(b'/healthz').replace(b'\r\n', b'\n'), '200 open'),
        ('a head with bare CR', get(b'/healthz', b'X: a\rY: b\r\n'), '400 BAD_REQUEST closed'),
        # libmicrohttpd 0.9.75 cuts a value, a target and a method at NUL, and takes a nameless header for the end of the head; neither is seen by our code.
        # A front end must not pass them on.
        ('NUL in a header', get(b'/healthz', b'X: a\x00b\r\n'), '200 open'),
        ('NUL in the name of a header', get(b'/healthz', b'X\x00Y: b\r\n'), '400 lib closed'),
        ('a header without a colon', get(b'/healthz', b'nonsense\r\n'), '400 lib closed'),
        ('a header without a name', get(b'/healthz', b': x\r\n'), '200 open'),
        ('NUL in Host', get(b'/healthz').replace(b'Host: x', b'Host: x\x00y'), '200 open'),
        ('NUL in a key', get(b'/v1/decisions/a', auth.replace(b'\r\n', b'\x00z\r\n')), '404 NOT_FOUND open'),
        ('NUL before a key', get(b'/v1/decisions/a', auth.replace(b'Bearer ', b'Bearer \x00')), '401 NO_KEY closed'),
        ('NUL in a type', post(event(), type=b'application/json\x00x'), '200 open'),
        ('NUL before a type', post(event(), type=b'\x00application/json'), '415 WRONG_TYPE closed'),
        ('NUL in a coding', chunked(b'%x\r\n%s\r\n0\r\n\r\n' % (len(one), one)).replace(b' chunked', b' chunked\x00x'), '200 open'),
        ('NUL before a coding', chunked(b'0\r\n\r\n').replace(b' chunked', b' \x00chunked'), '400 BAD_REQUEST closed'),
        ('NUL before a length', post(inner).replace(b'Length: ', b'Length: \x00', 1), '400 lib closed'),
        ('NUL in a target', get(b'/healthz\x00x'), '200 open'),
        ('NUL in a method', get(b'/healthz', method=b'GET\x00'), '200 open'),
        ('a header without a name before a length', post(inner, b': x\r\n'), '400 BAD_EVENT 400 lib closed'),
        ('a header without a name before a coding', chunked(b'0\r\n\r\n' + inner).replace(b'Transfer', b': x\r\nTransfer'), '400 BAD_EVENT 400 lib closed'),
        ('a space before the first header', b'GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n', '400 lib closed'),
        ('a target with a space', get(b'/health z'), 'closed'),
        ('100 headers', get(b'/healthz', *[b'X%d: y\r\n' % i for i in range(100)]), '200 open'),
        ('100,000 headers', get(b'/healthz', *[b'X: y\r\n'] * 100000), '431 lib closed'),
        ('a header of 1 MiB', get(b'/healthz', b'X: ' + b'y' * 1048576 + b'\r\n'), '431 lib closed'),
        ('a target of 1 MiB', get(b'/' + b'y' * 1048576), '414 lib closed'),
        ('a method of 1 MiB', get(b'/', method=b'M' * 1048576), '414 lib closed'),
        ('Expect: 100-continue', [post(one, b'Expect: 100-continue\r\n')[:-len(one)], one], '100 200 open'),
        ('Expect: something else', post(one, b'Expect: something\r\n'), '200 open'),
        ('a body with GET', get(b'/healthz', b'Content-Length: %d\r\n' % len(inner)) + inner, '200 open'),
        ('a request in a refused body', post(inner, type=b'text/plain'), '415 WRONG_TYPE closed'),
        ('a request in a body', post(inner), '400 BAD_EVENT open'),
        ('a batch with the type of one', post(b'{}\n', path=b'/v1/decisions:batch'), '415 WRONG_TYPE open'),
        ('one with the type of a batch', post(b'{}\n', type=b'application/x-ndjson'), '415 WRONG_TYPE closed'),
        ('an empty batch', post(b'', path=b'/v1/decisions:batch', type=b'application/x-ndjson'), '200 open'),
        ('a batch that is cut', post(event() + b'\n' + event(), path=b'/v1/decisions:batch', type=b'application/x-ndjson', length=1000), 'open'),
        ('a batch of 10,001 lines', post(b'\n' * 10001, path=b'/v1/decisions:batch', type=b'application/x-ndjson'), '413 TOO_LARGE open'),
        ('a length folded into a name', post(inner).replace(b'Content-Length: %d\r\n\r\nPOST' % len(inner), b'Con: %d\r\n tent-Length\r\n\r\nPOST' % len(inner)), '400 BAD_REQUEST closed'),
        ('a coding folded', chunked(b'0\r\n\r\n' + inner).replace(b'Encoding: ', b'Encoding:\r\n '), '400 BAD_REQUEST closed'),
        ('chunks and a GET', get(b'/healthz', b'Transfer-Encoding: chunked\r\n') + b'%x\r\n%s\r\n0\r\n\r\n' % (len(inner), inner), '200 open'),
        ('a length in the trailer', chunked(b'2\r\n{}\r\n0\r\nContent-Length: %d\r\n\r\n' % len(inner)), '400 BAD_EVENT open'),
        ('a length with NUL', post(inner).replace(b'\r\n\r\nPOST', b'\x000\r\n\r\nPOST'), '400 BAD_EVENT open'),
        ('a nameless header first', get(b'/healthz').replace(b'Host', b': b\r\nHost'), '400 BAD_REQUEST closed'),
    ]

    def one_case(row):
        name, parts, expected = row
        return talk(daemon, [parts] if isinstance(parts, bytes) else parts, 0 if isinstance(parts, bytes) else .2, 1 if expected == 'open' else 5,
                    name == 'HEAD')[0]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for (name, _, expected), got in zip(table, pool.map(one_case, table)):
            ok(got == expected, name + ': ' + got + ('' if got == expected else ', expected ' + expected))
    whole = post(event())
    got, _ = talk(daemon, [whole[i:i + 1] for i in range(len(whole))])
    ok(got == '200 open', 'byte by byte: ' + got)
    batch = post(b'%s\nnonsense\n\n%s' % (event(), event()), path=b'/v1/decisions:batch', type=b'application/x-ndjson')
    got, body = talk(daemon, [batch[i:i + 7] for i in range(0, len(batch), 7)], .001)
    lines = [json.loads(line) for line in body.splitlines()]
    ok(got == '200 open' and len(lines) == 3 and 'outcome' in lines[0] and lines[1]['line'] == 2 and lines[1]['status'] == 400 and
       lines[2]['id'] == 'h%d' % count[0], 'a batch in pieces: a decision, a problem, a decision')


def trickle(daemon, head):
    """How long a sender may go on, a byte every tenth of a second."""
    s, begun = daemon.connect(), time.time()
    s.sendall(head)
    while time.time() - begun < 20:
        try:
            s.sendall(b'x')
            s.settimeout(.1)
            if s.recv(1000) == b'':
                break
        except socket.timeout:
            pass
        except ConnectionError:
            break
    s.close()
    return time.time() - begun


GET = b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'


def idle(daemon, wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = min(wanted, soft - 200)
    sockets = []
    try:
        for _ in range(n):
            s = socket.socket()
            s.settimeout(5)
            s.connect(('127.0.0.1', daemon.port))
            sockets.append(s)
    except OSError as e:
        print('# %d sockets: %s' % (len(sockets), e))
    begun = time.time()
    got, _ = talk(daemon, [GET])
    taken = time.time() - begun - QUIET
    for s in sockets:
        s.close()
    return len(sockets), got, taken


def lines_too_many(daemon, key):
    """A batch that is refused while it is sent: whoever sends all of it before he reads finds the answer, not a reset."""
    start = b'POST /v1/decisions:batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\n' % key
    sized = lambda n, more=b'': start + more + b'Content-Length: %d\r\n\r\n' % n
    holder, lines = daemon.connect(), EVENT % b'held' + b'\n'
    holder.sendall(sized(2 * len(lines)) + lines)
    time.sleep(.3)
    body = b'\n'.join(EVENT % (b'x%d' % i) for i in range(15000)) + b'\n' # a megabyte
    got = [talk(daemon, [sized(len(body)) + body])[0] for _ in range(10)]
    ok(got == ['429 FULL open'] * 10, 'ten batches beside one: ' + ', '.join(sorted(set(got))))
    got = talk(daemon, [sized(len(body)) + body + GET])[0]
    ok(got == '429 FULL 200 open', 'what follows such a batch is answered: ' + got)
    got = talk(daemon, [sized(len(body), b'Expect: 100-continue\r\n')], first=2)[0]
    ok(got == '429 FULL closed', 'who asks first is told before he sends: ' + got)
    got = talk(daemon, [sized(len(body)).replace(key, key[:-1] + b'?') + body])[0]
    ok(got == '401 NO_KEY open', 'with a wrong key: ' + got)
    got = talk(daemon, [sized(6 * len(body)) + 6 * body])[0]
    ok(got == 'closed', 'more than 4 MiB is not read: ' + got)
    holder.sendall(lines)
    holder.settimeout(5)
    ok(holder.recv(65536).startswith(b'HTTP/1.1 200 '), 'the batch that was there first is answered')
    holder.close()


folder = tempfile.mkdtemp()
database = os.path.join(folder, 'k.db')
os.environ['KEER_ALLOW_ROOT'] = 'yes'
new = [KEER, 'key', 'new', '-q', '--database', database]
revoked = subprocess.run(new, check=True, capture_output=True).stdout.strip()
subprocess.run([KEER, 'key', 'revoke', '--database', database, revoked.split(b'_')[1]], check=True, capture_output=True)
key = subprocess.run(new, check=True, capture_output=True).stdout.strip()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 30000) if hard > 0 else 30000, hard))
d = Daemon(folder, '--connections', '11000', '--log', 'text')
run(d, key, revoked)
n, got, taken = idle(d, 10000)
ok(got == '200 open' and n >= 1000, '%d idle sockets, and another is answered in %.3f s' % (n, taken))
ok(d.end(), 'it ends with code 0, and nothing is wrong in its log')
d = Daemon(folder, '--request-timeout', '2s', '--connections', '20', '--connections-per-ip', '10')
head = b' HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/' % key
slow = {'a head': b'GET /healthz HTTP/1.1\r\nHost: x\r\nX: ',
        'a body': b'POST /v1/decisions' + head + b'json\r\nContent-Length: 1000\r\n\r\n',
        'a batch': b'POST /v1/decisions:batch' + head + b'x-ndjson\r\nContent-Length: 1000\r\n\r\n'}
with concurrent.futures.ThreadPoolExecutor(3) as pool:
    for name, t in zip(slow, pool.map(lambda h: trickle(d, h), slow.values())):
        ok(1.5 < t < 6, '%s that trickles is ended after %.1f s' % (name, t))
held = [d.connect() for _ in range(10)]
time.sleep(.2)
ok(talk(d, [GET])[0] == 'closed', 'the eleventh connection of one address is refused')
for s in held:
    s.close()
time.sleep(1.5)
ok(talk(d, [GET])[0] == '200 open', 'and taken when others have gone')
ok(d.end(), 'it ends with code 0')
d = Daemon(folder, '--batches', '1')
lines_too_many(d, key)
ok(d.end(), 'it ends with code 0')
shutil.rmtree(folder)
sys.exit(failed)
