// In place of child.ts: hangs in case 3, ends in case 5, and runs the others.
process.once('message', async ({ numbers: [first, end] }) => {
  const told = (news) => new Promise((resolve) => process.send(news, resolve))
  for (let number = first; number < end; number++) {
    await told({ begins: number })
    if (number === 3) for (;;);
    if (number === 5) process.exit(7)
    await told({ number, report: { subject: 'x', outcome: 'answer', neutral: false, fault: undefined } })
  }
  process.exit(0)
})
