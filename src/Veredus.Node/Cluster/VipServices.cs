using System.Net;
using Veredus.Duravip;
using Veredus.Duravip.Driver;
using Veredus.Node.Inbound;

namespace Veredus.Node;

/// <summary>What follows a virtual address in this node: SMTP sockets, bindings and, where they go, their mail.</summary>
internal sealed class VipServices(string node, SmtpListeners listeners, BindingPresence presence) : IVipServices
{
    public void Open(VipAddress address) => listeners.OpenVirtual(address.ToIPAddress());

    public void Start(LocalVip vip)
    {
        listeners.OpenVirtual(vip.Address.ToIPAddress());
        presence.Set(vip.Address.ToIPAddress(), isHere: true);
    }

    public Task StopAsync(VipAddress address, TimeSpan drain)
    {
        presence.Set(address.ToIPAddress(), isHere: false);
        return listeners.CloseVirtualAsync(address.ToIPAddress(), drain);
    }

    public void Moved(VipAddress address, string newOwner, bool fullPolicy)
    {
        // The mail follows who owns the address: OwnersChanged tells, also when it goes on to somebody else.
    }

    public void OwnersChanged(VipOwners? owners) => presence.SetOwners(
        owners?.Owner.ToDictionary(pair => pair.Key.ToIPAddress(), pair => pair.Value) ?? new Dictionary<IPAddress, string>(), owners?.Draining ?? [], owners?.Present, owners?.Draining.Contains(node));
}
