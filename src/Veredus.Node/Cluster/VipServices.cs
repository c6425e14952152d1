using Veredus.Duravip;
using Veredus.Duravip.Driver;
using Veredus.Node.Inbound;

namespace Veredus.Node;

/// <summary>What follows a virtual address in this node: SMTP sockets and bindings.</summary>
internal sealed class VipServices(SmtpListeners listeners, BindingPresence presence) : IVipServices
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
        // Mail of its bindings waits here until they are back or it is bound anew.
    }
}
