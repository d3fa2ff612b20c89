declare module "gatewright:plugin/endpoints@0.1.0" {
    /** A label of an endpoint; null for an unknown slot or label. */
    export function label(slot: number, name: string): string | null;
}

declare module "gatewright:plugin/log@0.1.0" {
    /** Write an entry to the plugin's log. */
    export function write(level: "error" | "warn" | "info" | "debug", message: string): void;
}
