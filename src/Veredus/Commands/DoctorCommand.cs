using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Veredus.CommandLine;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>Is this host ready for a node? Every finding says what to do.</summary>
internal static class DoctorCommand
{
    private const long WantedFiles = 65_536;
    private const long WantedDiskBytes = 1L << 30;

    private static readonly Option<string> Spool = new("--spool") { Description = "Directory of the spool", HelpName = "DIR", DefaultValueFactory = _ => "/var/spool/veredus" };
    private static readonly Option<int> Port = new("--port") { Description = "Port of the SMTP listener", HelpName = "N", DefaultValueFactory = _ => 25 };

    /// <summary>One line.</summary>
    /// <param name="Status"><c>ok</c>, <c>warning</c> or <c>problem</c>.</param>
    public sealed record Finding(string Status, string Text, string Fix = "");

    public static Command Build(CliHost host) => CommandTree.Leaf(host, "doctor", "Checks this host and says what to do",
        ["veredus doctor", "veredus doctor --spool /srv/spool --port 2525 --json"], RunAsync, Spool, Port);

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        List<Finding> findings =
        [
            PortFree(call.Parse.GetValue(Port)), OpenFiles(), Disk(call.Parse.GetValue(Spool)!), Library("libunbound.so.8", "libunbound8"),
            await ResolvesAsync(cancellationToken), Clock(), await NodeAsync(call, cancellationToken),
        ];
        if (call.IsJson)
        {
            call.Json("veredus.doctor/1", "", StatusJson.Serialize(new DoctorData(findings)));
        }
        else
        {
            foreach (var finding in findings)
            {
                var (mark, tone) = finding.Status switch { "ok" => ("ok", Tone.Good), "warning" => ("! ", Tone.Warning), _ => ("x ", Tone.Bad) };
                call.Out.Write(mark, tone);
                call.Out.Line($"  {finding.Text}");
                if (finding.Fix.Length > 0)
                    call.Out.Line($"      fix: {finding.Fix}");
            }
            var (problems, warnings) = (findings.Count(finding => finding.Status == "problem"), findings.Count(finding => finding.Status == "warning"));
            call.Out.Line($"{problems} problems, {warnings} warnings");
        }
        return findings.Any(finding => finding.Status == "problem") ? ExitCodes.Error
            : findings.Any(finding => finding.Status == "warning") ? ExitCodes.Warning : ExitCodes.Done;
    }

    private static Finding PortFree(int port)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Any, port));
            return new("ok", $"port {port} is free and may be used");
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.AccessDenied)
        {
            return new("problem", $"port {port} may not be used by this user", "CAP_NET_BIND_SERVICE (the unit veredus-node has it), or a port above 1023");
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.AddressAlreadyInUse)
        {
            return new("warning", $"port {port} is in use", $"fine if that is the node; else find it: ss -lntp 'sport = :{port}'");
        }
        catch (SocketException exception)
        {
            return new("problem", $"port {port}: {exception.Message}");
        }
    }

    private static Finding OpenFiles()
    {
        var line = File.ReadLines("/proc/self/limits").FirstOrDefault(limit => limit.StartsWith("Max open files", StringComparison.Ordinal)) ?? "";
        var hard = line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, _, _, var text, ..] && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number : long.MaxValue;
        return hard >= WantedFiles ? new("ok", $"open files: {(hard == long.MaxValue ? "unlimited" : Human.Count(hard))}")
            : new("warning", $"open files: {Human.Count(hard)}; {Human.Count(WantedFiles)} wanted", "LimitNOFILE= in the unit, or ulimit -n");
    }

    private static Finding Disk(string spool)
    {
        var directory = spool;
        while (!Directory.Exists(directory) && Path.GetDirectoryName(directory) is { } parent)
            directory = parent;
        var free = new DriveInfo(directory).AvailableFreeSpace;
        var text = $"{(directory == spool ? spool : $"{spool} (not there yet, on the disk of {directory})")}: {Human.Count(free >> 20)} MiB free";
        return free >= WantedDiskBytes ? new("ok", text) : new("warning", text, "a file system of its own for the spool, with room for the mail of an outage");
    }

    private static Finding Library(string library, string package)
    {
        if (System.Runtime.InteropServices.NativeLibrary.TryLoad(library, out var handle))
        {
            System.Runtime.InteropServices.NativeLibrary.Free(handle);
            return new("ok", $"{library} is there");
        }
        return new("problem", $"{library} is missing; without it no mail exchanger is found", $"apt-get install {package}");
    }

    private static async Task<Finding> ResolvesAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(5));
        var name = Dns.GetHostName();
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(name, limit.Token);
            return addresses.Length > 0 ? new("ok", $"the host's name {name} has an address: {addresses[0]}") : new("warning", $"the host's name {name} has no address");
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return new("warning", $"the host's name {name} is not found: {exception.Message}", "give 'hostname' in the configuration, and an entry in /etc/hosts or DNS");
        }
    }

    private static Finding Clock() => File.Exists("/run/systemd/timesync/synchronized") || Directory.Exists("/run/chrony") || Directory.Exists("/var/lib/ntpsec")
        ? new("ok", "the clock is kept by a time service")
        : new("warning", "no time service found", "chrony or systemd-timesyncd: retries and IDs need a clock that is right");

    private static async Task<Finding> NodeAsync(Call call, CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await call.ConnectAsync(cancellationToken);
            return new("ok", $"the node answers: {client.HostName}, version {client.Version}");
        }
        catch (CliException exception)
        {
            return new("warning", $"no node answers: {exception.Message}", "start it: systemctl start veredus-node");
        }
    }
}
