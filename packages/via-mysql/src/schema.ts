/**
 * The table: what it must be, and how one that is there differs from that. Columns beside these are nobody's business, as long as rows can be written without them.
 */

/** A column as information_schema has it. */
export interface FoundColumn {
  readonly name: string
  /** In lower case, without its length: `varbinary`. */
  readonly type: string
  readonly isNullable: boolean
  /** In bytes, of texts and bytes. */
  readonly length: number | undefined
  /** Digits of a second, of times. */
  readonly precision: number | undefined
}

/** A column of an index. */
export interface FoundIndexColumn {
  readonly index: string
  readonly isUnique: boolean
  readonly column: string
  /** Only so many bytes of it count. */
  readonly prefix: number | undefined
}

export interface FoundTable {
  readonly engine: string | undefined
  readonly columns: readonly FoundColumn[]
  /** In the order of each index. */
  readonly indexColumns: readonly FoundIndexColumn[]
}

interface WantedColumn {
  readonly name: string
  readonly types: readonly string[]
  readonly minLength?: number
  readonly minPrecision?: number
}

const WANTED: readonly WantedColumn[] = [
  // Bytes, and no text: a collation would take names for equal that aren't.
  { name: 'name', types: ['varbinary'], minLength: 256 },
  { name: 'owner', types: ['varbinary'], minLength: 200 },
  { name: 'value', types: ['mediumblob', 'longblob'] },
  { name: 'epoch', types: ['bigint'] },
  { name: 'last_active_at', types: ['datetime'], minPrecision: 3 },
]

/** @param table Checked */
export function createTableOf(table: string): string {
  return `CREATE TABLE IF NOT EXISTS \`${table}\` (
  name VARBINARY(256) NOT NULL,
  owner VARBINARY(200) NOT NULL,
  value MEDIUMBLOB NOT NULL,
  epoch BIGINT NOT NULL,
  last_active_at DATETIME(6) NOT NULL,
  PRIMARY KEY (name),
  KEY last_active_at (last_active_at)
) ENGINE = InnoDB`
}

/** What differs, for people; empty if the table is fit. */
export function differences({ engine, columns, indexColumns }: FoundTable): readonly string[] {
  return [
    ...(engine?.toLowerCase() === 'innodb' ? [] : [`its engine is ${engine ?? 'none'}, not InnoDB`]),
    ...WANTED.flatMap((wanted) => differencesOf(wanted, columns)),
    ...indexDifferences(indexColumns),
  ]
}

function differencesOf(
  { name, types, minLength, minPrecision }: WantedColumn,
  columns: readonly FoundColumn[],
): string[] {
  const found = columns.find((column) => column.name.toLowerCase() === name)
  if (found === undefined) return [`it has no column ${name}`]
  const { type, isNullable, length = 0, precision = 0 } = found
  if (!types.includes(type)) return [`${name} is of type ${type}, not ${types.join(' or ')}`]
  return [
    ...(isNullable ? [`${name} may be NULL`] : []),
    ...(minLength !== undefined && length < minLength ? [`${name} has ${length} bytes, not ${minLength}`] : []),
    ...(minPrecision !== undefined && precision < minPrecision
      ? [`${name} has ${precision} digits of a second, not ${minPrecision}`]
      : []),
  ]
}

function indexDifferences(found: readonly FoundIndexColumn[]): string[] {
  const firsts = found.filter(({ index }, at) => found.findIndex((other) => other.index === index) === at)
  const primary = found.filter(({ index }) => index === 'PRIMARY')
  const isByName = primary.length === 1 && primary[0]?.column === 'name' && primary[0].prefix === undefined
  return [
    ...(isByName ? [] : ['its primary key is not name, all of it and nothing else']),
    ...(firsts.some(({ column }) => column === 'last_active_at') ? [] : ['it has no index of last_active_at']),
    // A row that collides there would be written over instead of the name's own.
    ...firsts
      .filter(({ index, isUnique }) => isUnique && index !== 'PRIMARY')
      .map(({ index }) => `it has another unique index, ${index}`),
  ]
}
