import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeName } from '@pidmesh/runtime'
import { generate } from 'selfsigned'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeCertificates, type Written } from '../src/certs.ts'
import { readCommand, UsageError } from '../src/options.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pidmesh-certs-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

const now = new Date()

function make(names: readonly string[], { force = false, days = 10, from = now } = {}): Promise<Written> {
  const nodes = names.map((name) => nodeName(name))
  return writeCertificates({ nodes, directory, days, force }, from)
}

const read = (name: string): X509Certificate => new X509Certificate(readFileSync(join(directory, name)))

const daysOf = ({ validTo }: X509Certificate): number => (new Date(validTo).getTime() - now.getTime()) / 86_400_000

const pidmesh = fileURLToPath(new URL('../bin/pidmesh.js', import.meta.url))

describe('pidmesh certs', () => {
  it('makes an authority, and a certificate a node that it has signed, which names the node and ends when it is to', async () => {
    await make(['a@10.0.0.1', 'b@[::1]'])
    const [ca, a, b] = [read('ca.pem'), read('a@10.0.0.1.pem'), read('b@___1_.pem')]
    expect([ca.ca, a.ca]).toEqual([true, false])
    for (const certificate of [a, b]) expect(certificate.verify(ca.publicKey)).toBe(true)
    expect([a.subjectAltName, b.subjectAltName]).toEqual(['URI:pidmesh://a@10.0.0.1', 'URI:pidmesh://b@[::1]'])
    expect(Math.round(daysOf(a))).toBe(10)
  })

  it('makes what is good a minute before it was made, for nodes whose clocks are a little behind', async () => {
    await make(['a@h'])
    for (const name of ['ca.pem', 'a@h.pem'])
      expect(new Date(read(name).validFrom).getTime()).toBeLessThanOrEqual(now.getTime() - 60_000)
  })

  it('makes files whose last line ends, so that two can be put one behind the other', async () => {
    const { files } = await make(['a@h'])
    for (const file of files) expect(readFileSync(file, 'utf8')).toMatch(/[^\n]\n$/)
  })

  it('gives each authority a name of its own', async () => {
    await make(['a@h'])
    const first = read('ca.pem').subject
    for (const name of ['ca.pem', 'ca-key.pem']) rmSync(join(directory, name))
    await make(['b@h'])
    expect(read('ca.pem').subject).not.toBe(first)
  })

  it('makes an authority for ten years, however long the certificates of nodes are good for', async () => {
    expect((await make(['a@h'])).note).toBeUndefined()
    expect(Math.round(daysOf(read('ca.pem')))).toBe(3_650)
    expect((await make(['b@h'], { days: 3_650 })).note).toBeUndefined()
  })

  it('makes no certificate that outlives its authority, and says so', async () => {
    const { note } = await make(['a@h'], { days: 36_500 })
    expect(read('a@h.pem').validTo).toBe(read('ca.pem').validTo)
    expect(note).toMatch(/the authority ends on \d{4}-\d\d-\d\d, before 36500 days are over/)
  })

  it('signs nothing with an authority that has expired', async () => {
    const { validTo } = await make(['a@h']).then(() => read('ca.pem'))
    await expect(make(['b@h'], { from: new Date(validTo) })).rejects.toThrowError(/ca\.pem has expired on/)
    expect(existsSync(join(directory, 'b@h.pem'))).toBe(false)
  })

  it('keeps private keys from the eyes of others', async () => {
    await make(['a@h'])
    for (const name of ['ca-key.pem', 'a@h-key.pem']) expect(statSync(join(directory, name)).mode & 0o077).toBe(0)
  })

  it('uses the authority that is there, and writes over no certificate unless it is told to', async () => {
    await make(['a@h'])
    const [ca, a] = [read('ca.pem').fingerprint256, read('a@h.pem').fingerprint256]
    await expect(make(['b@h', 'a@h'])).rejects.toThrowError(/--force/)
    expect(existsSync(join(directory, 'b@h.pem'))).toBe(false)
    expect((await make(['b@h'])).files).toHaveLength(2)
    await make(['a@h'], { force: true })
    expect(read('ca.pem').fingerprint256).toBe(ca)
    expect(read('a@h.pem').fingerprint256).not.toBe(a)
  })

  it('writes two things to no one file, and no key over another without being told to', async () => {
    await expect(make(['a@h', 'a@h-key'])).rejects.toThrowError(/written to/)
    expect(existsSync(join(directory, 'ca.pem'))).toBe(false)
    await make(['b@h-key'])
    await expect(make(['b@h'])).rejects.toThrowError(/--force/)
  })

  it('keeps a key from the eyes of others that it writes over one that was not', async () => {
    await make(['a@h'])
    chmodSync(join(directory, 'a@h-key.pem'), 0o644)
    await make(['a@h'], { force: true })
    expect(statSync(join(directory, 'a@h-key.pem')).mode & 0o077).toBe(0)
  })

  it('never makes another authority where the key of one is', async () => {
    await make(['a@h'])
    const key = readFileSync(join(directory, 'ca-key.pem'), 'utf8')
    rmSync(join(directory, 'ca.pem'))
    await expect(make(['b@h'])).rejects.toThrowError(/ca\.pem is not/)
    expect(readFileSync(join(directory, 'ca-key.pem'), 'utf8')).toBe(key)
  })

  it('says so if the key of the authority is missing', async () => {
    await make(['a@h'])
    rmSync(join(directory, 'ca-key.pem'))
    await expect(make(['b@h'])).rejects.toThrowError(/ca-key\.pem is not/)
  })

  it('signs nothing with the key of another authority', async () => {
    await make(['a@h'])
    const key = readFileSync(join(directory, 'ca-key.pem'))
    for (const name of ['ca.pem', 'ca-key.pem']) rmSync(join(directory, name))
    await make(['b@h'])
    writeFileSync(join(directory, 'ca-key.pem'), key)
    await expect(make(['c@h'])).rejects.toThrowError(/ca-key\.pem is not the key of .*ca\.pem/)
    expect(existsSync(join(directory, 'c@h.pem'))).toBe(false)
  })

  it('signs nothing with the certificate of a node', async () => {
    await make(['a@h'])
    for (const end of ['.pem', '-key.pem'])
      writeFileSync(join(directory, `ca${end}`), readFileSync(join(directory, `a@h${end}`)))
    await expect(make(['b@h'])).rejects.toThrowError(/ca\.pem is not the certificate of an authority/)
  })

  it('signs nothing with an authority whose key is of another type than its own', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'another authority' }], {
      keyType: 'rsa',
      algorithm: 'sha256',
      extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
    })
    writeFileSync(join(directory, 'ca.pem'), cert)
    writeFileSync(join(directory, 'ca-key.pem'), key)
    await expect(make(['a@h'])).rejects.toThrowError(/ca-key\.pem is a key of type rsa/)
  })

  it('makes one certificate for a node that is named twice', async () => {
    await make(['a@h', 'a@h'])
    expect(readdirSync(directory).sort()).toEqual(['a@h-key.pem', 'a@h.pem', 'ca-key.pem', 'ca.pem'])
  })

  it.each([
    ['ca.pem', /there is no certificate that can be read in .*ca\.pem/],
    ['ca-key.pem', /there is no private key that can be read in .*ca-key\.pem/],
  ])('says that it is %s which can not be read', async (name, problem) => {
    await make(['a@h'])
    writeFileSync(join(directory, name), 'half a file')
    await expect(make(['b@h'])).rejects.toThrowError(problem)
  })

  it('leaves what was there on a disk that is full, and nothing else', async () => {
    await make(['a@h'])
    const files = (): Record<string, string> =>
      Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]))
    const before = files()
    // No file may have a byte: as near to a full disk as anybody may come.
    const limited = ['-c', 'ulimit -f 0; exec "$@"', 'sh', process.execPath, pidmesh]
    const { status, stderr } = spawnSync('sh', [...limited, 'certs', '--force', '--out', directory, 'a@h'], {
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^pidmesh: EFBIG/)])
    expect(files()).toEqual(before)
  })
})

describe('the command line', () => {
  it.each([
    [
      'files that are written',
      ['certs', '--days', '36500', 'a@h'],
      0,
      /^.*ca\.pem\n.*ca-key\.pem\n.*a@h\.pem\n.*a@h-key\.pem\n$/,
      /^pidmesh: the authority ends/,
    ],
    ['what could not be done', ['certs', '--out', '/dev/null', 'a@h'], 1, /^$/, /^pidmesh: .*\n$/],
    ['a bad option', ['certs', '--dasy', '3', 'a@h'], 2, /^$/, /^pidmesh: .*--dasy/],
    ['how it is used', [], 0, /^Usage: pidmesh certs/, /^$/],
    ['what version it is', ['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
  ])('tells by its exit code and its two outputs of %s', (_what, args, code, out, err) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [pidmesh, ...args], {
      cwd: directory,
      encoding: 'utf8',
    })
    expect([status, stdout, stderr]).toEqual([code, expect.stringMatching(out), expect.stringMatching(err)])
  })

  it.each([
    ['makes what it is to make', ['certs', 'a@h', 'b@h'], 0],
    ['tells how it is used', ['--help'], 0],
    ['tells what is wrong', ['cert'], 2],
  ])('%s, and ends as ever, where its reader has gone', (_what, args, code) => {
    // A pipe that had a reader until it was open.
    const unread = 'mkfifo unread; exec 4<>unread 3>unread; exec 4<&-; exec "$@" >&3 2>&3'
    const { status } = spawnSync('sh', ['-c', unread, 'sh', process.execPath, pidmesh, ...args], { cwd: directory })
    expect(status).toBe(code)
    expect(existsSync(join(directory, 'certs/b@h.pem'))).toBe(args.includes('b@h'))
  })

  it('reads names and options', () => {
    expect(readCommand(['certs', '--out', 'x', '--days', '3', 'a@h', 'b@h'])).toEqual({
      type: 'certs',
      options: { nodes: ['a@h', 'b@h'], directory: 'x', days: 3, force: false },
    })
    for (const args of [[], ['help'], ['--help'], ['certs', '-h'], ['--version', '-h']])
      expect(readCommand(args)).toEqual({ type: 'help' })
  })

  it('takes a node that is named twice as one', () => {
    expect(readCommand(['certs', 'a@h', 'b@h', 'a@h'])).toMatchObject({ options: { nodes: ['a@h', 'b@h'] } })
  })

  it('without options writes into certs, what is good for a year, and over nothing', () => {
    const options = { nodes: ['a@h'], directory: 'certs', days: 365, force: false }
    expect(readCommand(['certs', 'a@h'])).toEqual({ type: 'certs', options })
    expect(readCommand(['certs', '--force', '--days', '36500', 'a@h'])).toEqual({
      type: 'certs',
      options: { ...options, days: 36_500, force: true },
    })
  })

  it.each([
    [['--force'], 'which command'],
    [['certs', '--out', '', 'a@h'], '--out'],
    [['certs', '--days', '36501', 'a@h'], '--days'],
    [['certs', '--days', '1.5', 'a@h'], '--days'],
    [['cert', 'a@h'], 'no command "cert"'],
    [['certs'], 'which nodes'],
    [['certs', 'a'], 'name@host'],
    [['certs', '--days', '0', 'a@h'], '--days'],
    [['certs', '--days', 'x', 'a@h'], '--days'],
    [['certs', '--dasy', '3', 'a@h'], '--dasy'],
  ])('of what it does not know it says so: %j', (args, problem) => {
    expect(() => readCommand(args)).toThrowError(UsageError)
    expect(() => readCommand(args)).toThrowError(problem)
  })
})
