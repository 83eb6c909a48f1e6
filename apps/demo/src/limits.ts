// What a name and a text may be, for both sides of the socket: the page imports this file, so it must stay free of dependencies.

/** A user's or a room's name. */
export const NAME: RegExp = /^[A-Za-z0-9_-]{1,32}$/

/** Characters (UTF-16 units, as `maxlength` counts them). */
export const NAME_MAX_LENGTH = 32

/** Characters (UTF-16 units, as `maxlength` counts them). */
export const TEXT_MAX_LENGTH = 2000

/** Where someone is who did not choose a room. */
export const FIRST_ROOM = 'lobby'
