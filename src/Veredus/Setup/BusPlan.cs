using System.Globalization;
using Veredus.Cluster;
using Veredus.CommandLine;
using Veredus.Configuration;
using Veredus.Node;

namespace Veredus.Setup;

/// <summary>The bus that a configuration describes.</summary>
internal static class BusPlan
{
    /// <summary>Written first into every corosync.conf that is ours; a file without it is never overwritten.</summary>
    private const string Header = "# Written by \"veredus cluster render\"";

    /// <summary>Made by the unit.</summary>
    private const string UnitStateDirectory = "/var/lib/veredus-bus";

    public const string Unit = "veredus-bus";

    /// <summary>Exit code for a program that is not on this host.</summary>
    private const int NoSuchProgram = 127;

    /// <summary>What <c>msgc_server { peers }</c> says, as corosync wants it.</summary>
    /// <exception cref="CliException">No peers, or wrong ones; says what would be right.</exception>
    public static CorosyncConfiguration Read(ConfigurationSnapshot configuration, ClusterFiles files, string? accessGroup)
    {
        var stanza = configuration.Singleton(ScopeKinds.MsgcServer);
        var peers = configuration.Get(ScopeKinds.MsgcServer, Options.BusPeers);
        if (stanza is null || peers.Count == 0)
            throw new CliException(ExitCodes.Failed, "The configuration names no peers, so there is no bus to render.",
                """In msgc_server.conf, the same on all nodes:  msgc_server { peers = [ mta1 = "192.0.2.11" mta2 = "192.0.2.12" ] }""");
        var parsed = Parse(peers.Select(peer => KeyValuePair.Create(peer.Key, string.Join(' ', peer.Value))), $"{stanza.Position}: ");
        return new(configuration.Get(ScopeKinds.Cluster, Options.ClusterName), parsed, BusTimings.Of(configuration).Bus, files.BusKey, StateDirectory(files),
            configuration.Get(ScopeKinds.MsgcServer, Options.BusPort), accessGroup);
    }

    /// <summary>Rings and flight records of the daemon: where the unit makes the place, or beside a configuration that lies elsewhere.</summary>
    public static string StateDirectory(ClusterFiles files) => IsForUnit(files) ? UnitStateDirectory : Path.Combine(files.Directory, "state");

    /// <summary>What to type to start the daemon.</summary>
    public static string StartLine(ClusterFiles files) => IsForUnit(files) ? $"systemctl enable --now {Unit}" : $"corosync -f -c {files.BusConfiguration}";

    /// <summary>What came of <c>corosync-cfgtool -R</c>.</summary>
    /// <param name="said">All that it printed.</param>
    public static string AfterReload(int exitCode, string said, ClusterFiles files)
    {
        if (exitCode == 0)
            return "the bus has read its files again";
        var what = string.Join(' ', said.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        // "Library" is how its tools say that nobody listens at the socket.
        return exitCode == NoSuchProgram || what.Contains("CS_ERR_LIBRARY", StringComparison.Ordinal)
            ? $"the bus does not run here ({what}); it reads the list when it starts: {StartLine(files)}"
            : string.Create(CultureInfo.InvariantCulture, $"the bus may not have read its files again: corosync-cfgtool -R ended with {exitCode}{(what.Length > 0 ? $" and said: {what}" : "")}");
    }

    private static bool IsForUnit(ClusterFiles files) => files.Directory == ClusterFiles.DefaultDirectory;

    /// <exception cref="CliException">The list is wrong.</exception>
    public static IReadOnlyList<BusPeer> Parse(IEnumerable<KeyValuePair<string, string>> entries, string where = "") =>
        BusPeer.ParseAll(entries, out var error) ?? throw new CliException(ExitCodes.Failed, $"{where}{error}");

    /// <summary>The group whose processes may use the bus: the node's, where it exists on this host; else only root may.</summary>
    public static string? AccessGroup() => UnixGroup.Find("veredus") is null ? null : "veredus";

    /// <summary>Whether a file of this name may be replaced: it is not there, or ours.</summary>
    public static bool IsOurs(string path) => !File.Exists(path) || File.ReadLines(path).FirstOrDefault()?.StartsWith(Header, StringComparison.Ordinal) == true;
}
