// What this plugin uses of the contract in `wit/`, in TypeScript's words.

/** A server of the pool. */
export interface Endpoint {
    slot: number;
    id: string;
    host: string;
    port: number;
    weight: number;
}

/** The export of the world `scanning-balancer`. */
export interface Scanning {
    configure(config: string): void;
    update(endpoints: Endpoint[]): void;
    eligible(slots: number[]): void;
    pick(key: bigint, load: ArrayLike<number>): number | undefined;
}
