using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Veredus.Cluster;

/// <summary>How fast totem finds out that a node is gone: about token + consensus.</summary>
/// <param name="Token">Milliseconds without the token until it counts as lost.</param>
/// <param name="TokenCoefficient">Milliseconds added to it for each node beyond two.</param>
/// <param name="Consensus">Milliseconds to agree on a new ring; <see langword="null"/>: 1.2 times the token.</param>
/// <param name="Retransmits">Times that a token is sent again before it counts as lost.</param>
public sealed record BusTiming(int Token, int TokenCoefficient, int? Consensus, int Retransmits)
{
    /// <summary>For networks where packets may be late: 2.3 s for three nodes.</summary>
    public static readonly BusTiming Default = new(1000, 50, null, 4);
    /// <summary>For a quiet network of its own: 0.28 s for three nodes.</summary>
    public static readonly BusTiming Fast = new(115, 10, null, 2);

    /// <summary>The longest time until the survivors of <paramref name="nodes"/> have a new membership: T of the specification.</summary>
    public TimeSpan Detection(int nodes)
    {
        var token = Token + TokenCoefficient * Math.Max(0, nodes - 2);
        return TimeSpan.FromMilliseconds(token + (Consensus ?? 1.2 * token));
    }
}

/// <summary>What corosync's files on one node say. The same on all nodes but for the directories.</summary>
/// <param name="KeyFile">Where <see cref="NewKey"/>'s bytes lie.</param>
/// <param name="StateDirectory">Ring ids and flight records.</param>
/// <param name="Port">First UDP port; a second link takes the next (<c>port</c>).</param>
/// <param name="AccessGroup">Unix group whose processes may use the bus; <see langword="null"/>: root only.</param>
/// <param name="RealTime">Let corosync take real-time priority, so that load elsewhere doesn't look like its death.</param>
public sealed record CorosyncConfiguration(
    string ClusterName, IReadOnlyList<BusPeer> Peers, BusTiming Timing, string KeyFile, string StateDirectory,
    int Port = 4809, string? AccessGroup = "veredus", bool RealTime = true)
{
    /// <summary>
    /// Milliseconds until a link without answers counts as down, and between its probes. Totem finds a dead host by its token long before; knet's own default follows
    /// the token (58 ms for <see cref="BusTiming.Fast"/>), so that a pause of that length on a busy host took the survivors' link down too, and split them.
    /// </summary>
    private const int LinkTimeout = 500, LinkProbe = 100;

    /// <summary>
    /// Rounds of the token without a message until it rests. Each heartbeat sets it going; with corosync's 30 rounds three idle nodes kept their corosyncs at 3.7 % of a
    /// processor, and at 13 % with <see cref="BusTiming.Fast"/>. Who wants to send wakes the token at once, however long it has rested.
    /// </summary>
    private const int RoundsBeforeHold = 3;

    /// <summary>Octets of a key: corosync takes 128 to 4096 and hashes them.</summary>
    private const int KeyBytes = 256;

    /// <summary>A fresh key for the traffic between the nodes. The same file on all of them, mode 0400.</summary>
    public static byte[] NewKey() => RandomNumberGenerator.GetBytes(KeyBytes);

    /// <summary>The text of <c>corosync.conf</c>: knet, encrypted and authenticated.</summary>
    public string Render()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $$"""
            # Written by "veredus cluster render" from msgc_server { peers }; the next run overwrites it.
            totem {
              version: 2
              cluster_name: {{ClusterName}}
              transport: knet
              crypto_cipher: aes256
              crypto_hash: sha256
              keyfile: {{KeyFile}}
              token: {{Timing.Token}}
              token_coefficient: {{Timing.TokenCoefficient}}
              token_retransmits_before_loss_const: {{Timing.Retransmits}}
              seqno_unchanged_const: {{RoundsBeforeHold}}

            """);
        if (Timing.Consensus is { } consensus)
            text.Append(CultureInfo.InvariantCulture, $"  consensus: {consensus}\n");
        // Passive, which is knet's default, goes on over the dead link until it counts as down, by when the token is lost.
        if (Peers[0].Addresses.Count > 1)
            text.Append("  link_mode: active\n");
        for (var link = 0; link < Peers[0].Addresses.Count; link++)
            text.Append(CultureInfo.InvariantCulture, $$"""
                  interface {
                    linknumber: {{link}}
                    mcastport: {{Port + link}}
                    knet_ping_interval: {{LinkProbe}}
                    knet_ping_timeout: {{LinkTimeout}}
                    knet_pong_count: 1
                  }

                """);
        text.Append("}\nnodelist {\n");
        foreach (var peer in Peers.OrderBy(peer => peer.Id))
        {
            text.Append(CultureInfo.InvariantCulture, $"  node {{\n    nodeid: {peer.Id}\n    name: {peer.Name}\n");
            for (var link = 0; link < peer.Addresses.Count; link++)
                text.Append(CultureInfo.InvariantCulture, $"    ring{link}_addr: {peer.Addresses[link]}\n");
            text.Append("  }\n");
        }
        text.Append("}\nquorum {\n  provider: corosync_votequorum\n");
        if (Peers.Count == 2)
            text.Append("  two_node: 1\n  wait_for_all: 0\n");
        text.Append("}\n");
        text.Append(CultureInfo.InvariantCulture, $"system {{\n  state_dir: {StateDirectory}\n  sched_rr: {(RealTime ? "yes" : "no")}\n}}\n");
        if (AccessGroup is not null)
            text.Append(CultureInfo.InvariantCulture, $"uidgid {{\n  gid: {AccessGroup}\n}}\n");
        text.Append("logging {\n  to_stderr: yes\n  to_syslog: no\n  timestamp: off\n}\n");
        return text.ToString();
    }
}
