import { call, GenServer, start, type Call } from '@pidmesh/gen-server'
import { hasType, type Ref } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

type LampCall = Call<{ type: 'isOn' }, boolean>

// What is tested: a lamp that goes out when no other node has been seen for a minute.
class Lamp extends GenServer<LampCall> {
  private isOn = true
  private timer: Ref | undefined = undefined
  override init() {
    this.self.monitorNodes(true)
  }
  override handleInfo(message: unknown) {
    if (hasType(message, 'nodedown')) this.timer = this.self.startTimer(60_000, this.pid, 'dark')
    if (hasType(message, 'nodeup') && this.timer !== undefined) this.self.cancelTimer(this.timer)
    if (hasType(message, 'timeout')) this.isOn = false
  }
  override handleCall(request: LampCall) {
    return this.reply(request, this.isOn)
  }
}

const cluster = new TestCluster({ seed: 1 })
const a = await cluster.start('a')
await cluster.start('b')
const lamp = await cluster.run(start(a, Lamp, [])) // `run` lets time go on until the promise has settled
const isOn = () => cluster.run(call(a, lamp, { type: 'isOn' }))

cluster.partition(['a'], ['b']) // somebody has pulled the cable
await cluster.advance(30_000) // half a minute goes by, in no time
cluster.heal()
await cluster.advance(120_000)
console.log('after a short cut it is on:', await isOn())

cluster.crash('b')
await cluster.advance(59_000)
console.log('59 s after a crash it is on:', await isOn())
await cluster.advance(2_000)
console.log('61 s after a crash it is on:', await isOn())
await cluster.stop()
