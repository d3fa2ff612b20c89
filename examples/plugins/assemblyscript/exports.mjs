// A transform for `asc`: AssemblyScript's exports can only have names that are
// identifiers, and the contract's have `:`, `/`, `@` and `#` in them.

const INTERFACE = "gatewright:plugin/scanning@0.1.0";

const NAMES = {
  allocate: "cabi_realloc",
  configure: `${INTERFACE}#configure`,
  update: `${INTERFACE}#update`,
  eligible: `${INTERFACE}#eligible`,
  pick: `${INTERFACE}#pick`,
};

export default class {
  afterCompile(module) {
    for (const [name, contractName] of Object.entries(NAMES)) {
      const place = module.getExport(name);
      const inside = this.binaryen.getExportInfo(place).value;
      module.removeExport(name);
      module.addFunctionExport(inside, contractName);
    }
  }
}
