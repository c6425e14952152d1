using System.Security.Cryptography;

namespace Veredus.Cluster;

/// <summary>What a member has of its cluster, in one directory: certificates, the bus' key and configuration.</summary>
/// <param name="Directory">Usually <see cref="DefaultDirectory"/>; <c>cluster { cluster_directory }</c>.</param>
public sealed record ClusterFiles(string Directory)
{
    public const string DefaultDirectory = "/etc/veredus/cluster";

    /// <summary>The authority's certificate: 0644.</summary>
    public string AuthorityCertificate => Path.Combine(Directory, "ca.pem");

    /// <summary>The authority with its private key: 0400, only where the cluster was set up. Whoever has it makes members.</summary>
    public string Authority => Path.Combine(Directory, "authority.pem");

    /// <summary>This member's certificate and key: 0440, readable for the node's group.</summary>
    public string Identity => Path.Combine(Directory, "member.pem");

    /// <summary>The key of the bus: 0400, the same on all members.</summary>
    public string BusKey => Path.Combine(Directory, "bus.key");

    /// <summary>What corosync reads.</summary>
    public string BusConfiguration => Path.Combine(Directory, "corosync.conf");

    /// <summary>This member's identity; <see langword="null"/> where no cluster was set up or joined (<c>veredus setup node</c>).</summary>
    /// <exception cref="IOException">The files cannot be read, or are no certificates.</exception>
    public ClusterIdentity? ReadIdentity()
    {
        if (!File.Exists(Identity) || !File.Exists(AuthorityCertificate))
            return null;
        try
        {
            return ClusterIdentity.FromPem(File.ReadAllText(Identity), File.ReadAllText(AuthorityCertificate));
        }
        catch (Exception e) when (e is CryptographicException or UnauthorizedAccessException)
        {
            throw new IOException($"{Identity} and {AuthorityCertificate} are not this member's certificate and its authority's: {e.Message}", e);
        }
    }
}
