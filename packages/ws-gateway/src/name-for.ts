/**
 * The type of names that say what may be sent to them. At run time it is the text.
 */
declare const takes: unique symbol

/**
 * A name, or a room, of processes that take `Message`: for what isn't a session of one's own class. A text without it is taken for a name of such sessions.
 * @example const BOT: NameFor<{ type: 'ask'; text: string }> = 'bot'
 */
export type NameFor<Message> = string & { readonly [takes]?: (message: Message) => void }
