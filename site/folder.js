// Where the files of this folder come from: a web server, or, where the page was opened as a file, carried.js.
// A page of `file:` may neither fetch its neighbours nor start a worker of theirs; scripts it may load.
// @ts-check

/** A file's name in this folder -> its bytes as gzip. @type {Record<string, Blob>} */
const carried = {};

/** What each line of carried.js calls. @param {string} name @param {string} text gzip as base64 */
function carry(name, text) {
  carried[name] = new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]);
}

/** What this browser lacks of what the tab needs, in words; "" for nothing. */
function lacking() {
  const needed = ["Worker", "WebAssembly", "Blob", "URLSearchParams"];
  if (location.protocol === "file:") needed.push("DecompressionStream");
  return needed.filter((name) => !(name in globalThis)).join(" and ");
}

/** What makes workers; they get the policy of this page, since their source is a blob of it.  Rejects with the reason. */
async function workshop() {
  const folder = new URL(".", location.href).href;
  let source = new Blob([`importScripts(${JSON.stringify(`${folder}worker.js`)});`], { type: "text/javascript" });
  if (location.protocol === "file:") {
    await new Promise((done, failed) => {
      const script = document.createElement("script");
      script.onload = done;
      script.onerror = () => failed(new Error("carried.js is not beside this page: copy the whole folder"));
      script.src = "carried.js";
      document.head.append(script);
    });
    const unpacked = carried["worker.js"].stream().pipeThrough(new DecompressionStream("gzip"));
    source = await new Response(unpacked, { headers: { "content-type": "text/javascript" } }).blob();
  }
  const address = URL.createObjectURL(source);
  return () => {
    const made = new Worker(address);
    made.postMessage({ folder, carried });
    return made;
  };
}
