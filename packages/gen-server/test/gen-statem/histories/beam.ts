/**
 * Histories as terms for statem_player.erl, which plays them on OTP's gen_statem.
 */
import type { Act, History, Key, Message, Return } from './history.ts'

export function textOf({ enters, init, returns, messages }: History): string {
  const both = returns.map(({ event, enter }) => `{${returnText(event)},${returnText(enter)}}`)
  return `{${enters},${actsText(init)},[${both.join()}],[${messages.map(messageText).join()}]}`
}

function messageText(message: Message): string {
  switch (message.type) {
    case 'call':
      return `{'$gen_call',{director,${message.call}},${message.content}}`
    case 'cast':
      return `{'$gen_cast',${message.content}}`
    case 'info':
      return `${message.content}`
    case 'fire':
      throw new Error('no timer fires on BEAM')
  }
}

function returnText(given: Return): string {
  switch (given.type) {
    case 'next':
      return `{next_state,${given.state},data,${actsText(given.acts)}}`
    case 'keep':
      return given.acts.length === 0 ? 'keep_state_and_data' : `{keep_state_and_data,${actsText(given.acts)}}`
    case 'repeat':
      return given.acts.length === 0 ? 'repeat_state_and_data' : `{repeat_state,data,${actsText(given.acts)}}`
    case 'stop':
      return `{stop,done}`
    case 'stop_and_reply':
      return `{stop_and_reply,done,${actsText(given.replies)}}`
    case 'bad':
      return 'bad'
  }
}

function actsText(acts: readonly Act[]): string {
  return `[${acts.map(actText).join()}]`
}

const TIMES = { zero: '0', far: '1000000000', infinity: 'infinity' }

const TYPES: Readonly<Record<Key, string>> = {
  state_timeout: 'state_timeout',
  event_timeout: 'timeout',
  'timeout:x': '{timeout,x}',
  'timeout:y': '{timeout,y}',
}

function actText(act: Act): string {
  switch (act.type) {
    case 'reply':
      return `{reply,{director,${act.call}},reply}`
    case 'insert':
      return `{next_event,${act.as},${act.content}}`
    case 'start':
      return `{${TYPES[act.key]},${TIMES[act.time]},${act.content}}`
    case 'update':
      return `{${TYPES[act.key]},update,${act.content}}`
    case 'cancel':
      return `{${TYPES[act.key]},cancel}`
    case 'postpone':
    case 'hibernate':
      return act.type
    case 'bad':
      return '{bad}'
    case 'bad_reply':
      return '{reply,nobody,reply}'
  }
}
