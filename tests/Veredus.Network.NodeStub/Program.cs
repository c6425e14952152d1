// A node as far as its guard sees one: holds COUNT addresses of 198.18.0.0/16 on eth0, beats, says "ready", and waits to be killed or frozen.
//   nodestub VIPD COUNT LEASE_MS HOLD_MS
using System.Globalization;
using System.Net;
using Veredus.Network;

var (count, lease, hold) = (int.Parse(args[1], CultureInfo.InvariantCulture), int.Parse(args[2], CultureInfo.InvariantCulture), int.Parse(args[3], CultureInfo.InvariantCulture));
var settings = new GuardSettings(
    new Topology([new(IPNetwork.Parse("198.18.0.0/16"), "eth0", 32)]), [], TimeSpan.FromMilliseconds(lease), TimeSpan.FromMilliseconds(hold));
await using var guard = await AddressGuardProcess.StartAsync(settings, [args[0]], CancellationToken.None);
guard.Beat();
var results = await guard.AddAsync([.. Enumerable.Range(0, count).Select(i => new IPAddress([198, 18, (byte)(1 + (i >> 8)), (byte)i]))], CancellationToken.None);
Console.WriteLine(results.All(result => result.Ok) ? $"ready {guard.ProcessId}" : $"failed {results.First(result => !result.Ok)}");
using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(hold / 4.0));
while (await timer.WaitForNextTickAsync())
    guard.Beat();
