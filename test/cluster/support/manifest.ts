// deploy/kubernetes/pidmesh.yaml as data, and what Kubernetes would make of it for a pod.

import { readFileSync } from 'node:fs'

import { parseAllDocuments } from 'yaml'

export const DEPLOY = new URL('../../../deploy/kubernetes/', import.meta.url)
export const NAMESPACE = 'default'

type Meta = { name: string; labels?: Record<string, string> }
type Labels = Record<string, string>
type Probe = {
  httpGet: { path: string; port: string }
  periodSeconds: number
  timeoutSeconds: number
  failureThreshold: number
}
type Env = { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } }
type Mount = { name: string; mountPath: string; readOnly?: boolean; subPath?: string; subPathExpr?: string }

export type Container = {
  name: string
  image: string
  envFrom: { configMapRef: { name: string } }[]
  env: Env[]
  ports: { name: string; containerPort: number }[]
  readinessProbe: Probe
  livenessProbe: Probe
  securityContext: Record<string, unknown>
  volumeMounts: Mount[]
}

export type PodSpec = {
  terminationGracePeriodSeconds: number
  securityContext: Record<string, unknown>
  containers: [Container]
  volumes: { name: string; secret: { secretName: string; defaultMode: number } }[]
}

export type Service = {
  kind: 'Service'
  metadata: Meta
  spec: {
    clusterIP?: string
    publishNotReadyAddresses?: boolean
    selector: Labels
    ports: { name: string; port: number; targetPort: string }[]
  }
}

export type Resource =
  | { kind: 'ConfigMap'; metadata: Meta; data: Record<string, string> }
  | Service
  | {
      kind: 'StatefulSet'
      metadata: Meta
      spec: {
        serviceName: string
        replicas: number
        selector: { matchLabels: Labels }
        template: { metadata: { labels: Labels }; spec: PodSpec }
      }
    }
  | {
      kind: 'PodDisruptionBudget'
      metadata: Meta
      spec: { maxUnavailable: number; selector: { matchLabels: Labels } }
    }
  | {
      kind: 'NetworkPolicy'
      metadata: Meta
      spec: {
        podSelector: { matchLabels: Labels }
        ingress: { from?: { podSelector: { matchLabels: Labels } }[]; ports: { port: string }[] }[]
      }
    }

/** @throws Error if it is not the YAML that Kubernetes reads, which is that of version 1.1 */
export function readManifest(): readonly Resource[] {
  const documents = parseAllDocuments(readFileSync(new URL('pidmesh.yaml', DEPLOY), 'utf8'), { version: '1.1' })
  return documents.map((document) => {
    const [problem] = [...document.errors, ...document.warnings]
    if (problem !== undefined) throw problem
    return document.toJS() as Resource
  })
}

export function find<Kind extends Resource['kind']>(
  kind: Kind,
  name: string = 'pidmesh',
): Extract<Resource, { kind: Kind }> {
  const found = readManifest().find((resource) => resource.kind === kind && resource.metadata.name === name)
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`)
  return found as Extract<Resource, { kind: Kind }>
}

export function podSpec(): PodSpec {
  return find('StatefulSet').spec.template.spec
}

/** The environment of a pod's container: `$(NAME)` is what was said before it. */
export function environmentOf(pod: string): Readonly<Record<string, string>> {
  const [container] = podSpec().containers
  const environment: Record<string, string> = {}
  for (const { configMapRef } of container.envFrom)
    Object.assign(environment, find('ConfigMap', configMapRef.name).data)
  const fields: Readonly<Record<string, string>> = { 'metadata.name': pod, 'metadata.namespace': NAMESPACE }
  for (const { name, value, valueFrom } of container.env) {
    const field = valueFrom === undefined ? undefined : fields[valueFrom.fieldRef.fieldPath]
    const text = value ?? field
    if (text === undefined) throw new Error(`${name} has neither a value nor a field`)
    environment[name] = expand(text, environment)
  }
  return environment
}

/** Which key of which secret a container sees at a path; `undefined` if none. */
export function secretAt(pod: string, path: string): { secret: string; key: string } | undefined {
  const { containers, volumes } = podSpec()
  for (const { name, mountPath, subPath, subPathExpr } of containers[0].volumeMounts) {
    const secret = volumes.find((volume) => volume.name === name)?.secret.secretName
    const part = subPath ?? (subPathExpr === undefined ? undefined : expand(subPathExpr, environmentOf(pod)))
    if (secret === undefined) continue
    if (part !== undefined && path === mountPath) return { secret, key: part }
    if (part === undefined && path.startsWith(`${mountPath}/`)) return { secret, key: path.slice(mountPath.length + 1) }
  }
  return undefined
}

function expand(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\(([A-Z_]+)\)/g, (whole, name: string) => environment[name] ?? whole)
}
