import { expect, it } from 'vitest'

import { firstThenRandom, nodesToConnect, socketUrl } from '../page/src/nodes.ts'

const chat1 = { name: 'chat1@127.0.0.1', url: 'http://127.0.0.1:8081' }
const chat2 = { name: 'chat2@127.0.0.1', url: 'http://127.0.0.1:8082' }

it('has the node that has served the page first, and each once', () => {
  expect(nodesToConnect({ here: chat2.name, nodes: [chat1, chat2], names: '' }, chat2.url)).toEqual([chat2, chat1])
})

it('has it at the address that the page has come from', () => {
  const nodes = nodesToConnect({ here: chat1.name, nodes: [chat1, chat2], names: '' }, 'https://tunnel.example')
  expect(nodes).toEqual([{ name: chat1.name, url: 'https://tunnel.example' }, chat2])
})

it("knows where a node's socket is", () => {
  expect(socketUrl(chat1)).toBe('http://127.0.0.1:8081/ws')
})

it('begins with the first, and leaves the rest to chance', () => {
  const random = firstThenRandom(() => 0.7)
  expect([random(), random(), random()]).toEqual([0, 0.7, 0.7])
})
