"use strict";
// Posts the image that is chosen, dropped or pasted, and shows the answer; every text is set as text.
const at = (id) => document.getElementById(id);
const most = Number(at("file").dataset.most);
let asked = 0;

function made(kind, text) {
  const element = document.createElement(kind);
  if (text !== undefined) element.textContent = text;
  return element;
}

function figure(address, words, caption) {
  const whole = made("figure"), image = made("img");
  image.src = address;
  image.alt = words;
  whole.append(image, made("figcaption", caption));
  return whole;
}

const percent = (share) => (100 * share).toFixed(1) + "\u00a0%";

// kind: "bad" of what failed, "heard" of what is seen elsewhere and is only read out
function say(text, kind) {
  at("status").textContent = text;
  at("status").className = kind || "";
}

function row(one) {
  const whole = made("tr"), name = made("th", one.label), share = made("td", percent(one.probability));
  const bar = made("td"), level = made("progress");
  name.scope = "row";
  share.className = "right";
  bar.className = "bar";
  level.value = one.probability;
  level.setAttribute("aria-hidden", "true"); // the number beside it says it
  bar.append(level);
  whole.append(name, share, bar);
  return whole;
}

function show(answer) {
  at("label").textContent = answer.said;
  at("seen").replaceChildren(
    figure(answer.seen, "The image as the network sees it", "as the network sees it"),
    ...answer.maps.map((map) => figure(map.image, map.title + ", laid over the image", map.title)));
  at("top").replaceChildren(...answer.top.map(row));
  at("nearest").hidden = answer.nearest.length === 0;
  at("neighbours").replaceChildren(...answer.nearest.map((one) =>
    figure(one.image, "Training image of the class " + one.label, one.label + ", " + one.cosine.toFixed(2))));
  at("answer").hidden = false;
  say("Answer: " + answer.said, "heard");
}

async function ask(file) {
  const number = ++asked;
  at("answer").hidden = true;
  if (file.size > most) {
    say("An image may have at most " + most.toLocaleString("en") + " bytes.", "bad");
    return;
  }
  say("Asking the network …");
  try {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await fetch("/explain", { method: "POST", body: file, headers });
    const answer = await response.json();
    if (number !== asked) return;
    if (response.ok) show(answer);
    else say(answer.error, "bad");
  } catch (error) {
    if (number === asked) say("The server does not answer; is it still running?", "bad");
  }
}

at("form").addEventListener("submit", (event) => event.preventDefault());
at("file").addEventListener("change", (event) => {
  if (event.target.files.length) ask(event.target.files[0]);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
document.addEventListener("dragleave", () => at("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  if (event.dataTransfer.files.length) ask(event.dataTransfer.files[0]);
  else say("What was dropped is no file.", "bad");
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) ask(event.clipboardData.files[0]);
  else say("What was pasted is no image.", "bad");
});
