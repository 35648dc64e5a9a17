// What jsforce makes of a stand-in of Salesforce: `node witness.mjs STORY URL` lives one story and tells it as JSON.

import jsforce from "jsforce";

const [, , story, url] = process.argv;
const oauth2 = { loginUrl: url, clientId: "sandbox-client", clientSecret: "sandbox-secret" };

const stories = {
  async record(crm) {
    const account = crm.sobject("Account");
    const made = await account.create({ Name: "Größe & Söhne 𝄞", BillingCountry: "DE" });
    await account.update({ Id: made.id, Phone: "+49 30 1" });
    const row = await account.retrieve(made.id);
    await account.destroy(made.id);
    return { made, row, then: await refusal(account.retrieve(made.id)) };
  },

  async upsert(crm) {
    const account = crm.sobject("Account");
    const named = (name) => account.upsert({ Sync_Id__c: "acc/1", Name: name }, "Sync_Id__c");
    return [await named("Acme"), await named("Acme Inc"), (await crm.query("SELECT Id, Name FROM Account")).records];
  },

  async collections(crm) {
    const names = Array.from({ length: 450 }, (_, number) => (number === 7 ? "" : `Account ${number}`));
    const account = crm.sobject("Account");
    const made = await account.create(names.map((Name) => ({ Name })), { allowRecursive: true });
    const read = await account.retrieve(made.slice(0, 3).map(({ id }) => id));
    return { made, read: read.map(({ Name }) => Name) };
  },

  async pages(crm) {
    const { records } = await crm.query("SELECT Id FROM Account", { autoFetch: true, maxFetch: 9000 });
    return { ids: records.map(({ Id }) => Id), calls: crm.limitInfo.apiUsage.used };
  },

  async refusals(crm) {
    const account = crm.sobject("Account");
    return {
      nameless: await refusal(account.create({ BillingCountry: "DE" })),
      misspelt: await refusal(crm.query("SELECT Nme FROM Account")),
      absent: await refusal(account.retrieve("001000000000001AAA")),
    };
  },

  async changes(crm) {
    const account = crm.sobject("Account");
    const [kept, gone] = [await account.create({ Name: "kept" }), await account.create({ Name: "gone" })];
    await account.destroy(gone.id);
    const span = ["2026-11-23T11:00:00Z", "2026-11-23T13:00:00Z"];
    const [updated, deleted] = [await account.updated(...span), await account.deleted(...span)];
    return { kept: kept.id, gone: gone.id, updated: updated.ids, deleted: deleted.deletedRecords.map(({ id }) => id) };
  },

  async renewal() {
    let renewals = 0;
    const refreshFn = async (old, done) => {
      renewals += 1;
      done(null, (await signedIn()).accessToken);
    };
    const crm = new jsforce.Connection({ instanceUrl: url, accessToken: "00D!ended", version: "67.0", refreshFn });
    return { rows: (await crm.query("SELECT Id FROM Account")).totalSize, renewals };
  },
};

async function signedIn() {
  const crm = new jsforce.Connection({ instanceUrl: url, version: "67.0", oauth2 });
  await crm.authorize({ grant_type: "client_credentials" });
  return crm;
}

async function refusal(promise) {
  try {
    return `answered: ${JSON.stringify(await promise)}`;
  } catch (error) {
    return error.errorCode;
  }
}

console.log(JSON.stringify(await stories[story](await signedIn())));
