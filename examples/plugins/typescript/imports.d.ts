declare module "gatewright:plugin/endpoints@0.1.0" {
    /** A label of an endpoint; null for an unknown slot or label. */
    export function label(slot: number, name: string): string | null;
}
