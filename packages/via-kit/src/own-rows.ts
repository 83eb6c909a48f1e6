/**
 * The rows of this node: each registration has an owner of its own, so that what is given back late can't be a newer one. And what an earlier registration has left in the store, since the
 * answer to it was lost, or since this node has lived before, is in nobody's way.
 *
 *   put ─▶ the name is another owner's ─▶ whose? ─▶ of a process of this node that has ended, or that does not have it any more: given back, and once more
 *                                              └─▶ anybody else's: `others`
 *
 * State: owners for whom a call is under way: nobody knows yet whether they have the name.
 */
import type { NameMeta, Node, Pid } from '@pidmesh/runtime'
import { bad } from './checks.ts'
import { ownerOf, type Envelopes, type Place, type WrittenPlace } from './envelope.ts'
import type { LocationRow, TakenLocation } from './location-store.ts'
import type { NameStore } from './name-store.ts'

/** `unsure`: a takeover of this node is under way. */
export type Written = 'ours' | 'others' | 'unsure'

export interface OwnRowsOptions {
  readonly owner: Node
  readonly store: NameStore
  readonly envelopes: Envelopes
  /** Whether a process of this node has the name by that row. */
  readonly isHeld: (name: string, owner: string) => boolean
}

/** What a driver takes. */
const MAX_OWNER = 200
const LIFE_BYTES = 6
const TRIES = 3
const NO_VALUE = new Uint8Array()

export class OwnRows {
  private readonly options: OwnRowsOptions
  private readonly envelopes: Envelopes
  /** Another one for each of those that a node has, one after the other or at once. */
  private readonly life: string
  private readonly underWay = new Set<string>()
  private made = 0

  constructor(options: OwnRowsOptions) {
    this.options = options
    this.envelopes = options.envelopes
    this.life = Buffer.from(options.owner.random.bytes(LIFE_BYTES)).toString('base64url')
  }

  /**
   * A row for a process. With an owner that is given it is another value of that registration, otherwise a new one.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  make(name: string, { pid, meta }: { readonly pid: Pid; readonly meta: NameMeta }, given?: string): LocationRow {
    const registration = given?.slice(given.lastIndexOf('#') + 1) ?? `${this.life}.${++this.made}`
    const owner = ownerOf({ pid, registration })
    if (owner.length > MAX_OWNER) throw bad(`the name of a node is too long for a store: ${owner}`)
    return { name, owner, value: this.envelopes.place({ pid, meta, registration }) }
  }

  /**
   * @param isWanted Of a name that this node has: whether it has it still. What was given up meanwhile is not written after that
   * @throws StoreError by rejection; it may be written then, too
   */
  put(row: LocationRow, isWanted?: () => boolean): Promise<Written> {
    return this.write(row, () => this.options.store.put(row), isWanted)
  }

  /** As `put`, of a name that this node has. */
  refresh(row: LocationRow, isWanted: () => boolean): Promise<Written> {
    return this.write(row, () => this.options.store.refresh(row), isWanted)
  }

  /** @throws StoreError by rejection; it may be written then, too */
  async take(row: LocationRow): Promise<{ readonly epoch: number; readonly former: Place | undefined }> {
    const { epoch, former }: TakenLocation = await this.during(row, () => this.options.store.take(row))
    return { epoch, former: former === undefined ? undefined : this.envelopes.readPlace(former) }
  }

  /** Who has a name, as it stands in the store; what this node has left there is nobody. @throws StoreError by rejection */
  async find(name: string): Promise<Place | undefined> {
    const place = await this.read(name)
    if (place === undefined || (this.isLeft(name, place) && !this.underWay.has(ownerOf(place)))) return undefined
    return { pid: place.pid, meta: place.meta }
  }

  private write(row: LocationRow, put: () => Promise<boolean>, isWanted = (): boolean => true): Promise<Written> {
    return this.during(row, async () => {
      for (let tries = 1; tries <= TRIES; tries++) {
        if (!isWanted()) return 'others'
        if (await put()) return 'ours'
        const place = await this.read(row.name)
        // Free meanwhile.
        if (place === undefined) continue
        const owner = ownerOf(place)
        if (this.underWay.has(owner) && owner !== row.owner) return 'unsure'
        if (!this.isLeft(row.name, place)) return 'others'
        await this.options.store.release({ name: row.name, owner, value: NO_VALUE })
      }
      return 'others'
    })
  }

  private async during<T>({ owner }: LocationRow, call: () => Promise<T>): Promise<T> {
    this.underWay.add(owner)
    try {
      return await call()
    } finally {
      this.underWay.delete(owner)
    }
  }

  private async read(name: string): Promise<WrittenPlace | undefined> {
    const bytes = await this.options.store.find(name)
    return bytes === undefined ? undefined : this.envelopes.readPlace(bytes)
  }

  /** Of a process of this node, or of an earlier life of it, that has ended. */
  private isOver({ pid }: Place): boolean {
    const { owner } = this.options
    if (pid.node !== owner.name) return false
    return pid.origin.incarnation !== owner.self.pid.origin.incarnation || !owner.isProcessAlive(pid)
  }

  private isLeft(name: string, place: WrittenPlace): boolean {
    const { owner, isHeld } = this.options
    if (place.pid.node !== owner.name) return false
    return this.isOver(place) || (place.registration.startsWith(`${this.life}.`) && !isHeld(name, ownerOf(place)))
  }
}
