/**
 * `erl` for tests that compare something with Erlang's own machine: runs modules of theirs, with which they talk in lines of text. It leaves nothing behind: the modules
 * are compiled in memory, and it ends with its stdin, and so with us, however we end.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { isInstalled } from './programs.ts'

/**
 * Its arguments are the paths of the modules. What ends it is told on standard error, where no line of theirs is. Also what doesn't compile: what the compiler reports by itself is in the
 * hands of another process of erl, which may be gone before it has written it.
 */
const RUN = `
  End = fun(What) -> io:put_chars(standard_error, What), halt(1) end,
  Said = fun({Where, By, What}) -> io_lib:format("~p: ~ts~n", [Where, By:format_error(What)]);
            ({By, What}) -> [By:format_error(What), "\n"] end,
  [First | _] = Files = init:get_plain_arguments(),
  [case compile:file(File, [binary, return, warnings_as_errors]) of
     {ok, Module, Code, _} -> {module, Module} = code:load_binary(Module, File, Code);
     {error, Errors, Warnings} -> End([[Path, ":", Said(One)] || {Path, All} <- Errors ++ Warnings, One <- All])
   end || File <- Files],
  io:put_chars("ready\n"),
  Main = list_to_existing_atom(filename:basename(First, ".erl")),
  try Main:main()
  catch Class:Reason:Stack -> End(io_lib:format("~p~n", [{Class, Reason, Stack}]))
  end.`

/** What is missing, and how to get it. */
export function erlangMissing(): string | undefined {
  return isInstalled('erl') ? undefined : 'there is no Erlang on this machine: apt-get install erlang-nox'
}

export class ErlangProcess {
  private readonly erl: ChildProcessWithoutNullStreams
  private readonly lines: AsyncIterator<string, undefined>
  /** It has ended, and all that it has said is read. */
  private readonly closed: Promise<unknown>
  private complaints = ''

  private constructor(modules: readonly string[]) {
    // One scheduler: those that are compared with rely on it to know when all has come to rest.
    this.erl = spawn('erl', ['+S', '1', '-noshell', '-noinput', '-eval', RUN, '-extra', ...modules], {
      // No file with a dump, should it crash.
      env: { ...process.env, ERL_CRASH_DUMP_BYTES: '0' },
    })
    this.closed = new Promise((resolve) => this.erl.once('close', resolve))
    this.erl.stderr.on('data', (data: Buffer) => {
      this.complaints += data.toString()
    })
    this.erl.on('error', (error) => {
      this.complaints += error.message
    })
    // What can't be written is told by the end of its output.
    this.erl.stdin.on('error', () => undefined)
    this.lines = createInterface({ input: this.erl.stdout })[Symbol.asyncIterator]()
  }

  /**
   * @param modules Paths of sources. `main/0` of the first one reads from file descriptor 0, writes to 1, and ends the machine when there is nothing more to read
   * @throws Error by rejection, if they don't compile without a warning
   */
  static async start(modules: readonly [string, ...string[]]): Promise<ErlangProcess> {
    const started = new ErlangProcess(modules)
    for (;;) {
      const line = await started.line()
      if (line === 'ready') return started
      started.complaints += `${line}\n`
    }
  }

  write(text: string): void {
    this.erl.stdin.write(text)
  }

  /** @throws Error by rejection, with what it has complained of, if it has ended */
  async line(): Promise<string> {
    const { value } = await this.lines.next()
    if (value !== undefined) return value
    // Its output may end before what it has complained of is read.
    await this.closed
    throw new Error(`erl has ended: ${this.complaints}`)
  }

  /** At once, whatever it is at. */
  async stop(): Promise<void> {
    if (this.erl.kill('SIGKILL')) await this.closed
  }
}
