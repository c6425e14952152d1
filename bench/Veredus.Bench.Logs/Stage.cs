using System.Globalization;
using System.Net;
using Veredus.Cluster;

namespace Veredus.Bench.Logs;

/// <summary>One directory with all that node, manager and readers need: certificates, journals, files, positions.</summary>
public sealed class Stage
{
    public static readonly Incarnation NodeRun = new(100), ManagerRun = new(200);

    public Stage(string directory) => Directory = System.IO.Directory.CreateDirectory(directory).FullName;

    public string Directory { get; }

    public string Journal => Path.Join(Directory, "journal");

    public string Collected => Path.Join(Directory, "collected", "main");

    public string State => Path.Join(Directory, "state");

    private string PortFile => Path.Join(Directory, "port");

    /// <summary>Makes the cluster's authority and both certificates, once.</summary>
    public void MakeIdentities()
    {
        using var authority = ClusterAuthority.Create("bench", TimeProvider.System);
        foreach (var name in (string[])["mta1", "mgr1"])
        {
            using var identity = authority.Issue(name, TimeProvider.System);
            File.WriteAllText(Path.Join(Directory, $"{name}.pem"), identity.ExportPem());
            File.WriteAllText(Path.Join(Directory, "authority.pem"), identity.ExportAuthorityPem());
        }
    }

    public ClusterIdentity Identity(string name) => ClusterIdentity.FromPem(File.ReadAllText(Path.Join(Directory, $"{name}.pem")), File.ReadAllText(Path.Join(Directory, "authority.pem")));

    /// <summary>The membership as it would stand with both there; the node's port is the one that it wrote last.</summary>
    public ClusterMembership Membership()
    {
        var port = File.Exists(PortFile) && int.TryParse(File.ReadAllText(PortFile), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
        return new(new(1, 1), [new(new(1, 1), Hello(MemberKind.Veredus, "mta1", NodeRun, port)), new(new(2, 2), Hello(MemberKind.Manager, "mgr1", ManagerRun, 0))]);
    }

    public void Publish(int port)
    {
        File.WriteAllText(PortFile + ".new", port.ToString(CultureInfo.InvariantCulture));
        File.Move(PortFile + ".new", PortFile, overwrite: true);
    }

    private static Hello Hello(MemberKind kind, string name, Incarnation run, int port) => new(kind, name, "default", "bench", new(IPAddress.Loopback, port), [], run);
}
