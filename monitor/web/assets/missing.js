// The page for addresses that lead nowhere.

import { follow } from "./live.js";

follow({});
